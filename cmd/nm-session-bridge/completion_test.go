package main

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// The tests in integration/ run the scripts in real shells.
func TestCompletionNamesWhatMayComeNext(t *testing.T) {
	all := observers.Table().Names()
	others := slices.DeleteFunc(slices.Clone(all), func(name string) bool { return name == "lid" })
	for words, want := range map[string]string{
		"ins":                         "install",
		"--swit":                      "--switches",
		"--online-when=":              "full limited",
		"help uni":                    "uninstall",
		"run --":                      "--gone-grace --help --limited-grace --online-when --switches",
		"run --online-when=":          "full limited",
		"run --online-when ":          "full limited",
		"run --online-when full --go": "--gone-grace",
		"run --switches=lid,":         "lid," + strings.Join(others, " lid,"),
		"run --limited-grace ":        "",
		"run --limited-grace=":        "",
		"run --no-such=":              "",
		"run ":                        "",
		"uninstall --":                "--force --help",
		"completion z":                "zsh",
		"completion zsh ":             "",
		"completion zsh --":           "--help",
		"set ":                        strings.Join(all, " "),
		"set lid ":                    "auto open closed",
		"history --switch=":           strings.Join(all, " "),
		"recipe ":                     "add list show",
		"recipe list ":                "",
		"set lid open ":               "",
		"set moon ":                   "",
		"wait ":                       strings.Join(all, " "),
		"wait lid ":                   "open closed",
		"wait lid=":                   "lid=open lid=closed",
		"wait lid=open ":              strings.Join(all, "= ") + "=",
		"wait lid=open power=":        "power=ac power=battery",
		"wait moon ":                  "",
		"status --":                   "--help --json",
		"fly ":                        "",
	} {
		var got []string
		for _, c := range candidates(t, strings.Split(words, " ")...) {
			word, _, _ := strings.Cut(c, "\t")
			got = append(got, word)
		}
		slices.Sort(got)
		wanted := slices.Sorted(slices.Values(strings.Fields(want)))
		if !slices.Equal(got, wanted) {
			t.Errorf("%q: %q, not %q", words, got, wanted)
		}
	}
}

// candidates returns the lines that a shell's completion gets for words. The
// last word is still being typed.
func candidates(t *testing.T, words ...string) []string {
	t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetErr(io.Discard)
	root.SetArgs(append([]string{cobra.ShellCompRequestCmd}, words...))
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	return lines[:len(lines)-1] // the last one is for the script
}

func TestCompletionDescribesCommandsAndRecipes(t *testing.T) {
	all := append(candidates(t, ""), candidates(t, "recipe", "add", "")...)
	for _, cmd := range newRoot().Commands() {
		if !slices.Contains(all, cmd.Name()+"\t"+cmd.Short) {
			t.Errorf("%s is not among %q", cmd.Name(), all)
		}
	}
	for _, r := range systemdctl.Recipes() {
		if !slices.Contains(all, r.Name+"\t"+r.Summary) {
			t.Errorf("%s is not among %q", r.Name, all)
		}
	}
}

func TestCompletionPrintsScripts(t *testing.T) {
	for _, shell := range shells() {
		if status, stdout, stderr := call(t, "completion "+shell); status != success || !strings.Contains(stdout, cobra.ShellCompRequestCmd) {
			t.Errorf("%s: exit status %d, printed %q and %q", shell, status, stdout, stderr)
		}
	}
}
