package main

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The program holds the modules that it is made of, so their licences go with it.
func TestTheCopyrightFileNamesTheLicenceOfEveryModule(t *testing.T) {
	documented := documentedLicences(t)
	used := map[string]bool{"*": true, "std/*": true} // the project's own files, and Go's
	list := exec.Command("go", "list", "-deps", "-tags=godbus_no_tcp", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}", ".")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := slices.Compact(slices.Sorted(strings.Lines(string(out))))
	if len(modules) < 2 {
		t.Fatalf("the program is made of %q", modules)
	}
	for _, module := range modules {
		path, dir, _ := strings.Cut(strings.TrimSpace(module), " ")
		files := regexp.MustCompile(`/v[0-9]+$`).ReplaceAllString(path, "") + "/*"
		if own := licenceIn(t, dir); documented[files] != own {
			t.Errorf("dist/copyright says that the licence of %s is %q, and its own file that it is %q", files, documented[files], own)
		}
		used[files] = true
	}
	for _, files := range slices.Sorted(maps.Keys(documented)) {
		if !used[files] {
			t.Errorf("dist/copyright names %s, of which the program holds nothing", files)
		}
	}
}

// documentedLicences returns the short names of licences by the patterns in Files.
func documentedLicences(t *testing.T) map[string]string {
	t.Helper()
	content, err := os.ReadFile("dist/copyright")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, found := range regexp.MustCompile(`(?ms)^Files: (.+?)$.*?^License: (\S+)$`).FindAllSubmatch(content, -1) {
		for pattern := range strings.FieldsSeq(string(found[1])) {
			documented[pattern] = string(found[2])
		}
	}
	return documented
}

// licenceIn returns the short name of the licence whose text lies in a module's directory.
func licenceIn(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "LICENSE*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the licences in %s are %v (%v)", dir, files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	says := func(words string) bool { return bytes.Contains(text, []byte(words)) }
	switch {
	case says("Apache License"):
		return "Apache-2.0"
	case says("Permission is hereby granted, free of charge"):
		return "Expat"
	case says("Neither the name"):
		return "BSD-3-Clause"
	case says("Redistributions of source code"):
		return "BSD-2-Clause"
	}
	return "unknown"
}
