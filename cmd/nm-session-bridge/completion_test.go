package main

import (
	"strings"
	"testing"
)

// What the scripts make of it in real shells is tested in integration/.
func TestCompletionNamesWhatMayComeNext(t *testing.T) {
	for words, want := range map[string]string{
		"ins":                         "install",
		"--swit":                      "--switches=",
		"-":                           "--gone-grace= --limited-grace= --online-when= --switches= --help",
		"help uni":                    "uninstall",
		"run ":                        "--gone-grace= --limited-grace= --online-when= --switches= --help",
		"run --online-when=":          "--online-when=full --online-when=limited",
		"--online-when ":              "full limited",
		"run --online-when full --go": "--gone-grace=",
		"run --switches=lid,":         "--switches=lid,internet --switches=lid,sleep --switches=lid,lock --switches=lid,power --switches=lid,metered --switches=lid,vpn --switches=lid,connection",
		"run --switches=lid,s":        "--switches=lid,sleep",
		"run --limited-grace ":        "",
		"run --limited-grace=":        "",
		"run --no-such=":              "",
		"uninstall --":                "--force --help",
		"completion z":                "zsh",
		"completion zsh ":             "",
		"completion zsh --":           "--help",
		"set ":                        "internet lid sleep lock power metered vpn connection",
		"set lid ":                    "auto open closed",
		"history --switch=l":          "--switch=lid --switch=lock",
		"recipe ":                     "list show add",
		"recipe show ma":              "mail",
		"recipe list ":                "",
		"set lid open ":               "",
		"set moon ":                   "",
		"status --":                   "--json --help",
		"fly ":                        "",
	} {
		var got []string
		for _, c := range candidates(strings.Split(words, " ")) {
			got = append(got, c.word)
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%q: %q, not %q", words, got, want)
		}
	}
}

func TestCompletionOfNothingNamesTheCommands(t *testing.T) {
	_, bare, _ := call(t, "completion words")
	for _, c := range commands() {
		if !strings.Contains(bare, c.name+"\t"+c.summary+"\n") {
			t.Errorf("%s is not among %q", c.name, bare)
		}
	}
}

func TestCompletionPrintsScripts(t *testing.T) {
	for _, shell := range shells() {
		if status, stdout, stderr := call(t, "completion "+shell); status != success || !strings.Contains(stdout, "completion words -- ") {
			t.Errorf("%s: exit status %d, printed %q and %q", shell, status, stdout, stderr)
		}
	}
	if _, stdout, _ := call(t, "completion words -- run --onl"); !strings.HasPrefix(stdout, "--online-when=\twhat ") {
		t.Errorf("a flag behind -- was not completed but %q", stdout)
	}
}

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
