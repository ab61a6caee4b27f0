package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Keys that a user types in a shell.
const (
	tab = "\t"
	// all inserts every candidate.
	all = "\x1b*"
	// done ends the shell, which leaves the edited line behind.
	done = "\x07"
)

// Each case has the line that the user types, and the line that results.
var completions = []struct{ typed, line string }{
	{"nm-session-bridge inst" + tab, "nm-session-bridge install "},
	{"nm-session-bridge completion " + all, "nm-session-bridge completion bash fish zsh "},
	{"nm-session-bridge run --onl" + tab, "nm-session-bridge run --online-when "},
	{"nm-session-bridge run --online-when=" + all, "nm-session-bridge run --online-when=full limited "},
	{"nm-session-bridge run --online-when=lim" + tab, "nm-session-bridge run --online-when=limited "},
	{"nm-session-bridge run --online-when lim" + tab, "nm-session-bridge run --online-when limited "},
	{"nm-session-bridge run --switches=lid,sl" + tab, "nm-session-bridge run --switches=lid,sleep "},
	{"nm-session-bridge install --now --f" + tab, "nm-session-bridge install --now --force "},
	{"nm-session-bridge install nothing" + tab, "nm-session-bridge install nothing"},
	{"nm-session-bridge fly " + tab, "nm-session-bridge fly "},
}

// The names of profiles have characters that are special to a shell. The
// completed word must be one word to the shell, with the name as its value.
var named = []struct{ typed, line string }{
	{"nm-session-bridge set connection Ho" + tab, `nm-session-bridge set connection Home\\x20Wifi `},
	{`nm-session-bridge set connection Home\\x20W` + tab, `nm-session-bridge set connection Home\\x20Wifi `},
	{"nm-session-bridge set connection a:" + tab, "nm-session-bridge set connection a:b "},
}

// nameProfiles replaces our program with one that completes profiles.
func (s *shell) nameProfiles() {
	s.Helper()
	s.file("bin/nm-session-bridge", `#!/bin/sh
[ "$1" = __complete ] || exit 1
printf '%s\n' 'Home\x20Wifi' a:b :4
`)
	if err := os.Chmod(filepath.Join(s.home, "bin/nm-session-bridge"), 0o755); err != nil {
		s.Fatal(err)
	}
}

func TestBashCompletes(t *testing.T) {
	s := beginShell(t, "bash")
	s.provide("data/bash-completion/completions/nm-session-bridge")
	s.file("init", `source /usr/share/bash-completion/bash_completion
bind 'set enable-bracketed-paste off'
bind -x '"\C-g": printf %s "$READLINE_LINE" >line; kill -KILL $$'
`)
	const bash = "bash --noprofile --init-file init -i"
	for _, c := range completions {
		want := strings.Replace(c.line, "lid,sleep", `lid\,sleep`, 1) // the same word
		if line := s.types(bash, c.typed); line != want {
			t.Errorf("%q became %q, not %q", c.typed, line, want)
		}
	}
	s.nameProfiles()
	for _, c := range named {
		if line := s.types(bash, c.typed); line != c.line {
			t.Errorf("%q became %q, not %q", c.typed, line, c.line)
		}
	}
	if _, err := os.Stat("/usr/share/bash-completion/bash_completion"); err != nil {
		t.Errorf("install Debian's bash-completion: %v", err)
	}
}

func TestZshCompletes(t *testing.T) {
	s := beginShell(t, "zsh")
	s.provide("functions/_nm-session-bridge")
	const keys = `
zle -C all complete-word _generic
zstyle ':completion:all:*' completer _all_matches _complete
zstyle ':completion:all:*' insert true
bindkey '\e*' all
tell() { print -rn -- "$BUFFER" >line; kill -KILL $$ }
zle -N tell
bindkey '\C-g' tell
`
	for name, start := range map[string]string{
		"autoloaded": "fpath=($PWD/functions $fpath)\nautoload -U compinit\ncompinit -u -D\n",
		"sourced":    "autoload -U compinit\ncompinit -u -D\nsource <(nm-session-bridge completion zsh)\n",
	} {
		s.file(".zshrc", start+keys)
		for _, c := range completions {
			want := c.line
			if strings.HasSuffix(c.typed, "="+all) {
				want = strings.Replace(want, "full limited", "full --online-when=limited", 1) // whole words
			}
			if line := s.types("zsh -d -i", c.typed); line != want {
				t.Errorf("%s: %q became %q, not %q", name, c.typed, line, want)
			}
		}
	}
	s.file(".zshrc", "fpath=($PWD/functions $fpath)\nautoload -U compinit\ncompinit -u -D\n"+keys)
	s.nameProfiles()
	for _, c := range named {
		if line := s.types("zsh -d -i", c.typed); line != c.line {
			t.Errorf("%q became %q, not %q", c.typed, line, c.line)
		}
	}
}

func TestFishCompletes(t *testing.T) {
	s := beginShell(t, "fish")
	s.provide("data/fish/vendor_completions.d/nm-session-bridge.fish")
	for typed, want := range map[string]string{
		"nm-session-bridge ":                          "completion help install run uninstall version",
		"nm-session-bridge completion ":               "bash fish zsh",
		"nm-session-bridge run --":                    "--gone-grace --help --limited-grace --online-when --switches",
		"nm-session-bridge run --online-when=":        "--online-when=full --online-when=limited",
		"nm-session-bridge run --online-when lim":     "limited",
		"nm-session-bridge run --switches=lid,sl":     "--switches=lid,sleep",
		"nm-session-bridge install nothing":           "",
		"~/bin/nm-session-bridge run --online-when=l": "--online-when=limited",
	} {
		var words []string
		for line := range strings.Lines(s.output("fish", "--command", "complete --do-complete='"+typed+"'")) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			words = append(words, word)
		}
		if got := strings.Join(words, " "); !hasWords(got, want) {
			t.Errorf("%q: candidates %q, not %q", typed, got, want)
		}
	}
	s.nameProfiles()
	for _, typed := range []string{`Ho`, `Home\\x20W`, `"Ho`} {
		s.file("typed", "nm-session-bridge set connection "+typed)
		if got := s.output("fish", "--command", "complete --do-complete (cat typed)"); got != "Home\\x20Wifi\n" {
			t.Errorf("%q: candidates %q", typed, got)
		}
	}
}

// hasWords reports whether a line consists of the given words. If the first is a
// word to which commands are added, the line may have more.
func hasWords(got, want string) bool {
	if !strings.Contains(want, " uninstall ") {
		return got == want
	}
	for word := range strings.FieldsSeq(want) {
		if !strings.Contains(" "+got+" ", " "+word+" ") {
			return false
		}
	}
	return true
}

// shell is the shell of a user who has the program in PATH.
type shell struct {
	*testing.T
	name string
	home string
}

func beginShell(t *testing.T, name string) *shell {
	t.Helper()
	for _, needed := range []string{name, "script"} {
		if _, err := exec.LookPath(needed); err != nil {
			t.Fatalf("%v: go run ./integration/packages test installs it", err)
		}
	}
	s := &shell{t, name, t.TempDir()}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	s.file("bin/nm-session-bridge", string(content))
	if err := os.Chmod(filepath.Join(s.home, "bin/nm-session-bridge"), 0o755); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shell) file(name, content string) {
	s.Helper()
	path := filepath.Join(s.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		s.Fatal(err)
	}
}

// provide installs the completion script where the shell looks for it.
func (s *shell) provide(name string) {
	s.Helper()
	s.file(name, s.output(program, "completion", s.name))
}

func (s *shell) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.Context(), name, args...)
	cmd.Dir = s.home
	cmd.Env = []string{
		"HOME=" + s.home, "ZDOTDIR=" + s.home, "XDG_DATA_HOME=" + filepath.Join(s.home, "data"),
		"XDG_CONFIG_HOME=" + filepath.Join(s.home, "config"),
		"PATH=" + filepath.Join(s.home, "bin") + ":/usr/bin:/bin", "TERM=xterm", "LANG=C.UTF-8",
	}
	return cmd
}

func (s *shell) output(name string, args ...string) string {
	s.Helper()
	out, err := s.command(name, args...).Output()
	if err != nil {
		s.Fatalf("%s %q: %v", name, args, err)
	}
	return string(out)
}

// types starts the shell with a command line in a terminal, types keys, and
// returns the resulting line.
func (s *shell) types(line, keys string) string {
	s.Helper()
	keyboard, hands, err := os.Pipe()
	if err != nil {
		s.Fatal(err)
	}
	defer keyboard.Close()
	defer hands.Close() // not before the shell ends, because this ends its input
	if _, err := hands.WriteString(keys + done); err != nil {
		s.Fatal(err)
	}
	cmd := s.command("script", "--quiet", "--command", "exec "+line, "/dev/null")
	cmd.Stdin = keyboard
	screen, _ := cmd.CombinedOutput() // the shell kills itself
	path := filepath.Join(s.home, "line")
	became, err := os.ReadFile(path)
	if err != nil {
		s.Fatalf("%v; the terminal shows %q", err, screen)
	}
	if err := os.Remove(path); err != nil {
		s.Fatal(err)
	}
	return string(became)
}
