package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// fails runs a command line of the user that must fail with a status, and
// returns its output.
func (s *scene) fails(status int, line string) string {
	s.Helper()
	cmd := s.Command("/bin/sh", "-c", line)
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != status {
		s.Fatalf("%s: %v instead of exit status %d: %s", line, err, status, out)
	}
	return strings.TrimSpace(string(out))
}

func TestInstallTwiceChangesNothing(t *testing.T) {
	s := beginOnline(t)
	before := s.files()
	out := s.user(program + " install --now")
	now, isUnchanged := strings.CutPrefix(out, "already installed, nothing changed\nnow: ")
	var names []string
	for _, switchNow := range strings.Split(now, ", ") {
		name, position, _ := strings.Cut(switchNow, " ")
		names = append(names, name)
		if position == "" || strings.HasPrefix(position, observers.UnknownWord) {
			t.Errorf("the %s is %q", name, position)
		}
	}
	if !isUnchanged || !slices.Equal(names, observers.Table().Names()) || !strings.Contains(now, "lid open (from logind), ") {
		t.Errorf("the second install said %q", out)
	}
	if after := s.files(); after != before {
		t.Errorf("the second install changed files:\n%s\nwere:\n%s", after, before)
	}
	s.undisturbed()
	s.started(bridgeUnit, 1)
}

// files lists the user's files with their modification times.
func (s *scene) files() string {
	s.Helper()
	return s.user("find . -type f -o -type l | sort | xargs stat -c '%n %z'")
}

// TestNothingIsOutdated asks the user manager after each command that changes
// unit files whether it still knows them all. Only newer managers (257 and 262)
// count units as outdated when others were enabled since the last reload.
func TestNothingIsOutdated(t *testing.T) {
	s := begin(t, sandbox.Options{})
	const other = "[Service]\nExecStart=sleep infinity\n"
	s.write("other.service", other)
	s.systemctl("daemon-reload")
	s.systemctl("start", "other.service")
	s.write("other.service", other+"Nice=1\n")
	if outdated := s.outdated(); outdated != "other.service" {
		t.Fatalf("other.service has changed on disk, and outdated is %q", outdated)
	}
	if status := s.user("systemctl --user --no-pager status '*' 2>&1 || true"); !strings.Contains(status, "changed on disk") {
		t.Fatalf("other.service has changed on disk, and systemctl does not warn: %s", status)
	}
	for _, line := range []string{
		program + " install",
		program + " install --now",
		program + " recipe add mail",
		"systemctl --user enable mail-sync.service",
		program + " install --now",
		"systemctl --user disable mail-sync.service",
		program + " uninstall",
	} {
		t.Logf("%s: %s", line, s.user(line))
		if outdated := s.outdated(); outdated != "" {
			t.Errorf("after %s the user manager should be reloaded, for %s", line, outdated)
		}
		if status := s.user("systemctl --user --no-pager status '*' 2>&1 || true"); strings.Contains(status, "changed on disk") {
			t.Errorf("after %s systemctl warns: %s", line, status)
		}
	}
}

// Wherever an interrupt comes, the user manager has read what was written or removed.
func TestAnInterruptLeavesNothingOutdated(t *testing.T) {
	s := beginOnline(t)
	for command, changes := range map[string]string{"install --force": "wrote ", "uninstall --force": "disabled "} {
		for after, hits := 5, 0; hits < 5; after += 5 {
			s.user(program + " install --force --now; echo '# mine' >>~/.local/share/systemd/user/internet-online.target; systemctl --user daemon-reload")
			out := s.user(fmt.Sprintf("timeout --signal=INT %d.%03d %s %s 2>&1; echo status $?", after/1000, after%1000, program, command))
			if outdated := s.outdated(); outdated != "" {
				t.Fatalf("after %s, interrupted, the user manager should be reloaded, for %s: %s", command, outdated, out)
			}
			switch {
			case strings.Contains(out, "status 0"):
				after = 0 // it was too late
			case strings.Contains(out, changes) && strings.Contains(out, "context canceled"):
				hits++
			}
		}
	}
}

func TestAnInterruptEndsTheWaitForASilentManager(t *testing.T) {
	s := beginOnline(t)
	before := s.files()
	s.must(s.User.Signal(syscall.SIGSTOP))
	for _, command := range []string{"install --force", "uninstall", "recipe add mail"} {
		s.user("timeout --signal=INT 0.5 " + program + " " + command + " || true")
	}
	s.must(s.User.Signal(syscall.SIGCONT))
	if after := s.files(); after != before {
		t.Errorf("it changed files: %s", after)
	}
}

// outdated names the units that the user manager wants to read again.
func (s *scene) outdated() string {
	s.Helper()
	return s.user("systemctl --user --all list-units --plain --no-legend | awk '{ print $1 }' | xargs systemctl --user show --property=Id,NeedDaemonReload -- | awk -F= '$1 == \"Id\" { unit = $2 } $0 == \"NeedDaemonReload=yes\" { print unit }'")
}

func TestInstallWithoutNowStartsNothing(t *testing.T) {
	s := begin(t, sandbox.Options{})
	out := s.user(program + " install")
	if !strings.Contains(out, "next: systemctl --user start nm-session-bridge") {
		t.Errorf("install does not say how to start the service: %s", out)
	}
	if state := s.systemctl("is-enabled", "nm-session-bridge"); state != "enabled" {
		t.Errorf("the service is %s", state)
	}
	s.started(bridgeUnit, 0)
	s.systemctl("disable", "nm-session-bridge")
	s.systemctl("enable", "nm-session-bridge")
	s.systemctl("start", "nm-session-bridge")
	s.online()
}

// The times of files say nothing about what runs: mv keeps them.
func TestInstallUpgradesByWhatRuns(t *testing.T) {
	s := beginOnline(t)
	const installed = ".local/bin/nm-session-bridge"
	s.user("cp " + installed + " other && printf x >> other && touch -d 2020-01-01 other && mv other " + installed)
	if out := s.user(installed + " install --now"); !strings.Contains(out, "restarted "+bridgeUnit) {
		t.Errorf("the program of 2020 is there, and another runs: %s", out)
	}
	s.user("cp -p " + installed + " same && touch same && mv same " + installed)
	if out := s.user(installed + " install --now"); !strings.HasPrefix(out, "already installed, nothing changed\nnow: ") {
		t.Errorf("the same program is in another file: %s", out)
	}
	s.undisturbed()
	s.started(bridgeUnit, 2)
}

// A link that leads nowhere may be another tool's, such as that of a home directory
// that is kept elsewhere.
func TestInstallLeavesALinkAlone(t *testing.T) {
	s := begin(t, sandbox.Options{Unplugged: true})
	const link = ".local/share/systemd/user/lid-open.target"
	s.user("mkdir -p .local/share/systemd/user && ln -s /nowhere/lid-open.target " + link)
	before := s.files()
	out := s.fails(1, program+" install --now")
	if !strings.Contains(out, link) || !strings.Contains(out, "--force") || strings.Contains(out, "\n") {
		t.Errorf("it said %s", out)
	}
	if after := s.files(); after != before {
		t.Errorf("it left\n%s", after)
	}
	s.user(program + " install --now --force")
	if leads := s.user("readlink " + link + "~"); leads != "/nowhere/lid-open.target" {
		t.Errorf("the link was kept as one to %s", leads)
	}
	s.user("mv " + link + "~ " + link)
	if out := s.user(program + " uninstall"); !strings.Contains(out, "left "+sandbox.Home+"/"+link) {
		t.Errorf("uninstall does not say that it leaves the link: %s", out)
	}
	if leads := s.user("readlink " + link); leads != "/nowhere/lid-open.target" {
		t.Errorf("the link is one to %s", leads)
	}
}

func TestInstallLeavesAChangedFileAlone(t *testing.T) {
	s := beginOnline(t)
	changed := installedUnits + "lid-open.target"
	s.write(changed, "[Unit]\nDescription=mine\n")
	before := s.files()
	out := s.fails(1, program+" install --now")
	if !strings.Contains(out, changed) || !strings.Contains(out, "--force") || strings.Contains(out, "\n") {
		t.Errorf("the message names not the file or not the way out, or is not one line: %s", out)
	}
	if after := s.files(); after != before {
		t.Errorf("files changed all the same:\n%s\nwere:\n%s", after, before)
	}
	s.user(program + " install --now --force")
	if kept := s.user("cat " + changed + "~"); !strings.Contains(kept, "Description=mine") {
		t.Errorf("the changed file was lost: %s", kept)
	}
	s.write(changed, "[Unit]\nDescription=mine again\n")
	if out := s.user(program + " install --force"); !strings.Contains(out, "kept your "+changed+" as "+changed+"~2") {
		t.Errorf("install does not say what became of the file: %s", out)
	}
	if kept := s.user("cat " + changed + "~"); !strings.Contains(kept, "Description=mine\n") && !strings.HasSuffix(kept, "Description=mine") {
		t.Errorf("the first copy was lost: %s", kept)
	}
	if now := s.user("cat " + changed); strings.Contains(now, "Description=mine") {
		t.Errorf("the changed file was not replaced: %s", now)
	}
}

func TestUninstallTakesAwayExactlyWhatInstallWrote(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("sync.service", syncUnit)
	s.enable("home.service", strings.ReplaceAll(syncUnit, "internet-online", "connection@home"))
	const upheld = "internet-online.target.upholds/sync.service" // from UpheldBy=, systemd 254
	s.user("cd .config/systemd/user && mkdir internet-online.target.upholds && ln -s ../sync.service " + upheld)
	s.user("mkdir -p programs .local/share/empty && ln -s ../programs .local/bin")
	s.user(program + " recipe add mail && " + program + " recipe add hooks")
	const list = "find . | sort"
	before := s.user(list)
	s.install()
	s.online()
	s.expect("active", "sync.service", "home.service")
	s.user("nm-session-bridge set lid closed")
	out := s.user(".local/bin/nm-session-bridge uninstall")
	s.Log(out)
	if left := s.user("ls $XDG_RUNTIME_DIR"); strings.Contains(left, "nm-session-bridge") {
		t.Errorf("what is held by hand was left: %s", left)
	}
	s.expect("inactive", "sync.service", "home.service", "internet-online.target", "connection@home.target", "lid-closed.target", bridgeUnit)
	const own = " " + sandbox.Home + "/.config/systemd/user/"
	for _, want := range []string{
		"\nleft links by which removed targets started units of yours; remove the links: rm -f" +
			own + "internet-online.target.wants/sync.service" + own + upheld + own + "connection@home.target.wants/home.service\n",
		"\nleft units that recipe add may have written; delete those that you no longer want:" +
			own + "mail-sync.service" + own + "around-sleep.service",
		"\nstopped " + bridgeUnit + "\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("uninstall does not say %q: %s", want, out)
		}
	}
	if want := "disabled " + bridgeUnit + "\n"; !strings.HasPrefix(out, want) {
		t.Errorf("uninstall does not begin with %q: %s", want, out)
	}
	if left := s.user(list); left != before {
		t.Errorf("left:\n%s\nbefore:\n%s", left, before)
	}
	if out := s.fails(3, program+" status"); !strings.Contains(out, "It is not installed; install it: "+program+" install --now") {
		t.Errorf("status said: %s", out)
	}
	s.user("systemctl --user disable sync.service home.service && ! ls .config/systemd/user/*.wants/*")
	s.user("mkdir -p .local/share/systemd/user && ln -s /dev/null .local/share/systemd/user/" + bridgeUnit) // a mask
	if out := s.user(program + " uninstall"); out != "nothing is installed" {
		t.Errorf("a second uninstall said: %s", out)
	}
}

// Directories are recognised by their names, in which a slash at the end means nothing.
func TestUninstallFromAHomeWithASlashAtTheEnd(t *testing.T) {
	s := begin(t, sandbox.Options{})
	const list = "find . -path ./.config -prune -o -print | sort" // there, the user manager makes directories
	before := s.user(list)
	s.install()
	s.user(`HOME=$HOME/ XDG_DATA_HOME=$HOME/.local/share/ ` + program + " uninstall")
	if left := s.user(list); left != before {
		t.Errorf("left:\n%s\nbefore:\n%s", left, before)
	}
}

func TestInstallWritesNothingThatCannotBeEnabled(t *testing.T) {
	s := begin(t, sandbox.Options{})
	const wants, list = "~/.config/systemd/user/default.target.wants", "find .config .local | sort"
	for _, test := range []struct{ obstacle, says, removal string }{
		{"touch " + wants, "/default.target.wants is no directory: move it away, then repeat this", "mv " + wants + " ~/away"},
		{"systemctl --user mask " + bridgeUnit, "/" + bridgeUnit + " masks it: systemctl --user unmask " + bridgeUnit + " ends that", "systemctl --user unmask " + bridgeUnit},
		{"mkdir -p /run/user/$(id -u)/systemd/user.control && ln -s /dev/null /run/user/$(id -u)/systemd/user.control/" + bridgeUnit + " && systemctl --user daemon-reload", "/user.control/" + bridgeUnit + " masks it: remove that, then repeat this", "rm /run/user/$(id -u)/systemd/user.control/" + bridgeUnit},
		{"systemctl --user mask --runtime " + bridgeUnit, "/" + bridgeUnit + " masks it: systemctl --user unmask --runtime " + bridgeUnit + " ends that", "systemctl --user unmask --runtime " + bridgeUnit},
	} {
		s.user("mkdir -p .config/systemd/user .local && " + test.obstacle)
		before := s.user(list)
		if out := s.fails(1, program+" install --now"); !strings.Contains(out, test.says) || !strings.HasSuffix(out, "; nothing was installed") {
			t.Errorf("after %s, install said: %s", test.obstacle, out)
		}
		if after := s.user(list); after != before {
			t.Errorf("after %s, there are:\n%s\nand before:\n%s", test.obstacle, after, before)
		}
		s.user(test.removal)
		s.install()
		s.user(program + " uninstall")
	}
}

func TestUninstallWithoutTheRecord(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.user("rm -r .local/share/nm-session-bridge")
	out := s.fails(1, "nm-session-bridge uninstall")
	if !strings.Contains(out, "is there, but not "+sandbox.Home+"/.local/share/nm-session-bridge/installed, which names the files to remove: nm-session-bridge install writes it again") {
		t.Errorf("uninstall said: %s", out)
	}
	s.user("nm-session-bridge install && nm-session-bridge uninstall")
	if out := s.user(program + " uninstall"); out != "nothing is installed" {
		t.Errorf("a second uninstall said: %s", out)
	}
}

// The package's files stay, so uninstall says what it did, and what the package holds.
func TestUninstallWithThePackageAlone(t *testing.T) {
	s := begin(t, sandbox.Options{})
	const packaged, units = "/usr/bin/nm-session-bridge", "/usr/lib/systemd/user"
	s.layOver(filepath.Dir(packaged))
	s.layOver(units)
	content, err := os.ReadFile(program)
	s.must(err)
	s.must(os.WriteFile(packaged, content, 0o755))
	files, err := systemdctl.UnitFiles(units)
	s.must(err)
	for _, file := range files {
		s.must(os.WriteFile(file.Path, []byte(strings.ReplaceAll(string(file.Content), "%h/.local/bin/nm-session-bridge", packaged)), 0o644))
	}
	s.systemctl("daemon-reload")
	s.user(packaged + " install --now")
	s.online()
	out := s.user(packaged + " uninstall")
	s.expect("inactive", bridgeUnit, "internet-online.target")
	const left = "\nleft " + packaged + " and the units in " + units + ", which belong to a package: your package manager can remove them; to use them again: "
	again := "systemctl --user enable --now " + bridgeUnit
	if !strings.HasPrefix(out, "disabled "+bridgeUnit+"\nstopped "+bridgeUnit+"\n") || !strings.HasSuffix(out, left+again) {
		t.Errorf("uninstall said: %s", out)
	}
	s.user(again)
	s.online()
	s.systemctl("stop", bridgeUnit)
}

// The links that enable the user's units serve the package's bridge, too.
func TestUninstallBesideThePackage(t *testing.T) {
	s := begin(t, sandbox.Options{Unplugged: true})
	const units = "/usr/lib/systemd/user"
	s.layOver(units)
	s.must(os.WriteFile(filepath.Join(units, bridgeUnit), []byte("[Service]\nExecStart=/bin/true\n"), 0o644))
	s.enable("sync.service", syncUnit)
	s.install()
	out := s.user(program + " uninstall")
	if !strings.HasSuffix(out, "the package's bridge is still there; to use it: systemctl --user enable --now "+bridgeUnit) || strings.Contains(out, "rm -f ") {
		t.Errorf("uninstall said: %s", out)
	}
}

func TestInstallWhereTheUserManagerLooksForNoUnits(t *testing.T) {
	s := begin(t, sandbox.Options{Unplugged: true})
	before := s.user("find . | sort")
	out := s.fails(1, "XDG_DATA_HOME=$HOME/d "+program+" install --now")
	want := "nm-session-bridge: the user manager does not look for units in " + sandbox.Home + "/d/systemd/user, where XDG_DATA_HOME leads: repeat this without it, as env -u XDG_DATA_HOME " + program + " install --now"
	if out != want {
		t.Errorf("it said %s", out)
	}
	if after := s.user("find . | sort"); after != before {
		t.Errorf("it left\n%s", after)
	}
	// This is the same directory by another name.
	s.user("mkdir -p .local/share && ln -s .local/share d && XDG_DATA_HOME=$HOME/d " + program + " install --now")
	s.expect("active", bridgeUnit)
}

func TestUninstallLeavesAChangedFile(t *testing.T) {
	s := beginOnline(t)
	changed := installedUnits + "lid-open.target"
	s.write(changed, "[Unit]\nDescription=mine\n")
	out := s.user(program + " uninstall")
	if !strings.Contains(out, "left "+changed) {
		t.Errorf("uninstall does not say what it left: %s", out)
	}
	entries, err := os.ReadDir(filepath.Dir(changed))
	s.must(err)
	if len(entries) != 1 || entries[0].Name() != "lid-open.target" {
		t.Errorf("left %v", entries)
	}
}
