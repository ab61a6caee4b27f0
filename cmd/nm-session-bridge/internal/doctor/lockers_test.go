package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lockerOf returns the doctor's report about a locker with a command line, of which
// the manager tells the words.
func lockerOf(t *testing.T, kind, line string, words ...string) string {
	t.Helper()
	sys := healthy(t)
	sys.own(t, "cover.service", "[Unit]\nPartOf=lock.target\n[Service]\nType="+kind+"\nExecStart="+line+"\n[Install]\nWantedBy=lock.target\n",
		"Type", kind, "ActiveState", "inactive", "ExecStart", [][]any{{words[0], words}})
	sys.put("lock.target", "Wants", []string{"cover.service"})
	return sys.report()
}

// What takes a flag away must leave the rest of the line as it is.
func TestALockersFlagIsTakenOutOfItsCommandLine(t *testing.T) {
	for _, test := range []struct {
		line  string
		words []string
		right string
	}{
		{"i3lock -n -c 000000", []string{"i3lock", "-n", "-c", "000000"}, "ExecStart=i3lock -c 000000"},
		{"i3lock -nc${COLOUR}", []string{"i3lock", "-nc${COLOUR}"}, "ExecStart=i3lock -c${COLOUR}"},
		{`i3lock "-n"`, []string{"i3lock", "-n"}, ""},
		{"i3lock -ni%h/night.png", []string{"i3lock", "-ni/home/jo/night.png"}, ""},
	} {
		report := lockerOf(t, "simple", test.line, test.words...)
		if !strings.Contains(report, "does not wait until i3lock has covered the screen") || !strings.Contains(report, test.right) {
			t.Errorf("%s:\n%s", test.line, report)
		}
		if test.right == "" && (strings.Contains(report, "printf") || !strings.Contains(report, "without -n")) {
			t.Errorf("%s is not left to a person:\n%s", test.line, report)
		}
	}
}

// A home may have brackets.
func TestALockersOwnFileCountsWhateverTheHomeIsCalled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `jo [1]\2*`)
	t.Setenv("XDG_CONFIG_HOME", dir)
	if err := os.MkdirAll(filepath.Join(dir, "swaylock"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "swaylock", "config"), []byte("daemonize\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if report := lockerOf(t, "forking", "swaylock", "swaylock"); strings.Contains(report, "swaylock to go to the background") {
		t.Errorf("it is not read:\n%s", report)
	}
}

// What is told to a person is a command, too.
func TestUnitsThatATargetRequiresAreEnabledAsTheyAreCalled(t *testing.T) {
	sys := healthy(t)
	sys.put("lid-open.target", "Requires", []string{`-my\x20lamp.service`, "fan.service"})
	if report := sys.report(); !strings.Contains(report, `systemctl --user enable -- '-my\x20lamp.service' fan.service`) {
		t.Errorf("the report is\n%s", report)
	}
}

// What only sounds like a locker has to stop with its target.
func TestWhatBlocksIsNoLocker(t *testing.T) {
	for line, isLocker := range map[string]bool{
		"rfkill block all":               false,
		"flock %t/radio radio-off":       false,
		"xscreensaver-command -lock":     true,
		"flock -n %t/screen physlock -d": true,
	} {
		sys := healthy(t)
		sys.own(t, "off.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart="+line+"\n[Install]\nWantedBy=lid-closed.target\n",
			"Type", "oneshot", "RemainAfterExit", true, "ActiveState", "inactive", "ExecStart", [][]any{{"/usr/bin/env", strings.Fields(line)}})
		sys.put("lid-closed.target", "Wants", []string{"off.service"})
		if report := sys.report(); strings.Contains(report, "nothing stops it") == isLocker {
			t.Errorf("%s:\n%s", line, report)
		}
	}
}
