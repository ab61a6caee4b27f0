package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// call executes a command line and returns its status and what it printed.
func call(t *testing.T, line string) (status int, stdout, stderr string) {
	t.Helper()
	errors, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer errors.Close()
	var out bytes.Buffer
	status = execute(context.Background(), strings.Fields(line), &out, errors)
	said, err := os.ReadFile(errors.Name())
	if err != nil {
		t.Fatal(err)
	}
	return status, out.String(), string(said)
}

func TestWrongUsage(t *testing.T) {
	for line, words := range map[string][]string{
		"--frobnicate":          {"-frobnicate", "--switches", "--online-when", "--limited-grace", "--gone-grace"},
		"--online-when=maybe":   {`"maybe"`, "full, limited"},
		"--switches=internet,x": {`"x"`, "internet, lid, sleep"},
		"--switches=":           {`""`, "internet, lid"},
		"--limited-grace=5":     {`"5"`, "500ms, 5s or 1m"},
		"--gone-grace=-1s":      {`"-1s"`, "500ms, 5s or 1m"},
		"run now":               {`"now"`},
		"fly":                   {`"fly"`, "run, install, uninstall, help"},
		"install --later":       {"-later", "--now", "--force"},
		"uninstall --now":       {"-now", "--force"},
	} {
		status, stdout, stderr := call(t, line)
		if status != wrongUsage || stdout != "" {
			t.Errorf("%s: exit status %d, printed %q", line, status, stdout)
		}
		for _, word := range words {
			if !strings.Contains(stderr, word) {
				t.Errorf("%s: %q does not contain %s", line, stderr, word)
			}
		}
		if strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: %q is not one line", line, stderr)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, line := range []string{"help", "--help", "-h", "run --help", "run --switches=lid --help", "install --now -h"} {
		if status, stdout, _ := call(t, line); status != success || stdout != usage {
			t.Errorf("%s: exit status %d, printed %q", line, status, stdout)
		}
	}
}

// What the help says must be what the man page and the README say.
func TestHelpManPageAndReadmeNameTheSameFlags(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"switches", "online-when", "limited-grace", "gone-grace", "now", "force"} {
		if !strings.Contains(usage, "--"+flag) {
			t.Errorf("the help does not mention --%s", flag)
		}
		if !strings.Contains(string(manPage), "Fl -"+flag) {
			t.Errorf("the man page does not mention --%s", flag)
		}
		if !strings.Contains(string(readme), "--"+flag) {
			t.Errorf("the README does not mention --%s", flag)
		}
	}
}
