package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	for _, line := range []string{"version", "--version"} {
		if status, stdout, _ := call(t, line); status != success || !strings.HasPrefix(stdout, "nm-session-bridge unknown (go1.") {
			t.Errorf("%s of a program without a version: exit status %d, printed %q", line, status, stdout)
		}
	}
	release = "1.2.0-3-g283cade"
	t.Cleanup(func() { release = "" })
	if _, stdout, _ := call(t, "version"); !strings.HasPrefix(stdout, "nm-session-bridge 1.2.0-3-g283cade (go1.") {
		t.Errorf("printed %q", stdout)
	}
}

// An export of the source has no tag. Its number is that of the changelog's
// newest section.
func TestTheNumberOfTheVersionIsTheChangelogs(t *testing.T) {
	changelog, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	heading := regexp.MustCompile(`(?m)^## ([0-9.]+)\b.*$`).FindSubmatch(changelog)
	if heading == nil {
		t.Fatal("no section of CHANGELOG.md has a number")
	}
	number := string(heading[1])
	export := t.TempDir()
	script := filepath.Join(export, "cmd/nm-session-bridge/dist/version")
	if err := os.MkdirAll(filepath.Dir(script), 0o755); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile("dist/version")
	if err == nil {
		err = os.WriteFile(script, content, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(export, "CHANGELOG.md"), changelog, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{nil, {"package"}} {
		cmd := exec.Command(script, args...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != number+"\n" {
			t.Errorf("version %v of an export: %v, %q, not %s", args, err, out, number)
		}
	}
}
