package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestConsole(t *testing.T) {
	const readme = "## One\n```console\n$ other\n```\n" +
		"## Two\n$ not in a block\n```\n$ in another block\n```\n" +
		"```console\n$ first  # why\nprinted\n$ second\ngemini@kanonji:~$ inside\nprinted\ngemini@kanonji:~$ again\n```\n" +
		"### Still two\n```console\n$ third\n```\n## Three\n```console\n$ other\n```\n"
	got := console(readme, "Two")
	want := []command{{line: "first  # why"}, {"second", []string{"inside", "again"}}, {line: "third"}}
	if !slices.EqualFunc(got, want, func(a, b command) bool {
		return a.line == b.line && slices.Equal(a.typed, b.typed)
	}) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestReadmeTellsWhatToTry(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := commandsToTry(string(readme))
	for _, want := range []struct {
		line  string
		typed bool
	}{
		{"./integration/demo", false},
		{"sudo /tmp/try/sandbox", true},
		{"go test ./integration -run ", false},
	} {
		if !slices.ContainsFunc(commands, func(c command) bool {
			return strings.Contains(c.line, want.line) && (len(c.typed) > 0) == want.typed
		}) {
			t.Errorf("README.md tells no one to type %q (into a shell of its own: %v), but %q", want.line, want.typed, commands)
		}
	}
}
