package integration

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// everything lists what is in the user's home.
func (s *scene) everything() string {
	s.Helper()
	return s.user("find . | sort")
}

// TestAnotherHomeThanTheUserManagers runs the commands that write with a HOME, or a
// configuration directory, where the user manager never looks. Each command says what
// is wrong, and the command that it prints does what was meant.
func TestAnotherHomeThanTheUserManagers(t *testing.T) {
	s := begin(t, sandbox.Options{Unplugged: true})
	const other = sandbox.Home + "/it's another"
	s.user(`mkdir "it's another"`)
	for _, test := range []struct{ environment, arguments, leadsTo string }{
		{`HOME="` + other + `"`, "install --now", other},
		{`HOME="` + other + `"`, "recipe add mail", other},
		{`XDG_CONFIG_HOME="` + other + `"`, "recipe add files", other + "/systemd/user"},
		{`XDG_CONFIG_HOME="` + other + `"`, `recipe add drive --set 'REMOTE=it'\''s at nas:Documents'`, other + "/systemd/user"},
		{`XDG_DATA_HOME="` + other + `"`, "install", other + "/systemd/user"},
		{`XDG_CONFIG_HOME="` + other + `"`, "install", other + "/systemd/user"},
		{`XDG_CONFIG_HOME="` + other + `"`, "uninstall", other + "/systemd/user"},
		{`XDG_DATA_HOME="` + other + `"`, "uninstall --force", other + "/systemd/user"},
		{`HOME="` + other + `"`, "uninstall", other},
	} {
		before := s.everything()
		out := s.fails(1, test.environment+" "+program+" "+test.arguments)
		said, command, isAdvised := strings.Cut(out, ": repeat this ")
		_, command, isCommand := strings.Cut(command, "as ")
		if !isAdvised || !isCommand || !strings.Contains(said, test.leadsTo) || strings.Contains(out, "\n") {
			t.Errorf("%s %s said %s", test.environment, test.arguments, out)
			continue
		}
		if strings.HasPrefix(test.environment, "HOME") && !strings.Contains(strings.ReplaceAll(said, other, ""), sandbox.Home) {
			t.Errorf("%s does not name the home of the user manager: %s", test.arguments, out)
		}
		if after := s.everything(); after != before {
			t.Errorf("%s %s left\n%s", test.environment, test.arguments, after)
		}
		if !strings.HasSuffix(command, " "+test.arguments) {
			t.Errorf("%s is not advised, but %s", test.arguments, command)
			continue
		}
		t.Logf("%s: %s", command, s.user(test.environment+" "+command))
		if left := s.user(`find "it's another" -mindepth 1`); left != "" {
			t.Errorf("%s left %s", command, left)
		}
	}
	s.expect("inactive", bridgeUnit)
	// This is the same home by another name.
	s.user(`ln -s . home && HOME=$HOME/home ` + program + " install --now")
	s.expect("active", bridgeUnit)
}

// TestAHomeThatCannotBeWrittenTo makes the whole home read-only, and then only some
// places in it. No command does half of its work.
func TestAHomeThatCannotBeWrittenTo(t *testing.T) {
	s := begin(t, sandbox.Options{Unplugged: true})
	s.user("mkdir -p .local/bin .local/share .config/systemd/user")
	// fails expects one line, and everything as it was.
	fails := func(line, place string) {
		t.Helper()
		before, state := s.everything(), s.user("systemctl --user is-active "+bridgeUnit+" || true")
		out := s.fails(1, line)
		if !strings.Contains(out, place) || !strings.Contains(out, "ead-only file system") || strings.Contains(out, "\n") {
			t.Errorf("%s said %s", line, out)
		}
		if after := s.everything(); after != before {
			t.Errorf("%s left\n%s", line, after)
		}
		if now := s.user("systemctl --user is-active " + bridgeUnit + " || true"); now != state {
			t.Errorf("after %s the bridge is %s, not %s", line, now, state)
		}
		t.Log(out)
	}
	for _, place := range []string{sandbox.Home, sandbox.Home + "/.local/bin", sandbox.Home + "/.config/systemd/user"} {
		s.readOnly(place, func() { fails(program+" install --now", place) })
	}
	s.readOnly(sandbox.Home, func() { fails(program+" recipe add notify", sandbox.Home+"/.config/systemd/user") })
	s.install()
	for _, place := range []string{sandbox.Home, sandbox.Home + "/.local/bin"} {
		s.readOnly(place, func() { fails(program+" uninstall", place) })
	}
	s.readOnly(sandbox.Home, func() {
		if out := s.user(program + " install --now"); !strings.HasPrefix(out, "already installed, nothing changed\n") {
			t.Errorf("it said %s", out)
		}
	})
	t.Log(s.user(program + " uninstall"))
}

// readOnly does something while nothing can be written below a directory.
func (s *scene) readOnly(directory string, do func()) {
	s.Helper()
	s.must(unix.Mount(directory, directory, "", unix.MS_BIND|unix.MS_REC, ""))
	s.must(unix.Mount("", directory, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, ""))
	defer func() { s.must(unix.Unmount(directory, unix.MNT_DETACH)) }()
	do()
}

// TestACommandThatIsPrintedNamesAnyHome calls the program by a path that a shell would
// split, and runs what it prints.
func TestACommandThatIsPrintedNamesAnyHome(t *testing.T) {
	s := begin(t, sandbox.Options{Unplugged: true})
	const directory = `it's $HOME here`
	s.user("mkdir \"it's \\$HOME here\" && cp " + program + " \"it's \\$HOME here\"")
	own := `"$HOME/it's \$HOME here/nm-session-bridge"`
	// printed returns what follows some words in what a command says.
	printed := func(said, words string) string {
		t.Helper()
		_, command, found := strings.Cut(said, words)
		if command, _, _ = strings.Cut(command, "\n"); !found {
			t.Fatalf("without %q it said %s", words, said)
		}
		return command
	}
	doctor := s.user(own + " doctor || true")
	t.Log(s.user(printed(doctor, "mend  ")))
	s.expect("active", bridgeUnit)
	t.Log(s.user(own + " uninstall"))
	install := printed(s.user(own+" recipe add mail"), "the targets are missing: ")
	t.Log(s.user(install))
	s.expect("active", bridgeUnit)
	if !strings.Contains(install, `'`) || !strings.Contains(install, "$HOME here") {
		t.Errorf("it was called as %s, not by its path in %s", install, directory)
	}
}
