package integration

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// finding is one of the doctor's findings, as printed.
type finding struct{ what, why, mend string }

// The mend stands under the last of several findings that it mends.
var block = regexp.MustCompile(`(?m)^(\S.*)\n  why   (.*)\n(?:  mend  (.*)\n)?`)

// doctor runs shell commands and then the doctor. It returns the doctor's
// findings and its last line.
func (s *scene) doctor(before string) (found []finding, summary string) {
	s.Helper()
	cmd := s.Command("/bin/sh", "-c", before+" exec "+program+" doctor")
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	for _, f := range block.FindAllStringSubmatch(string(out), -1) {
		found = append(found, finding{f[1], f[2], f[3]})
	}
	for i := len(found) - 1; i > 0; i-- {
		if found[i-1].mend == "" {
			found[i-1].mend = found[i].mend
		}
	}
	status := 0
	if len(found) > 0 {
		status = 1
	}
	if got := cmd.ProcessState.ExitCode(); got != status || complaint.Len() > 0 {
		s.Fatalf("with %d findings the doctor ended with %v and said %s: %s", len(found), err, complaint.String(), out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return found, lines[len(lines)-1]
}

// finds checks that the doctor finds one thing and describes it in the given
// words.
func (s *scene) finds(before string, words ...string) finding {
	s.Helper()
	found, summary := s.doctor(before)
	if len(found) != 1 || !strings.HasPrefix(summary, "1 finding") {
		s.Fatalf("the doctor found not one thing but %q; %s", found, summary)
	}
	s.Log(found[0])
	for _, word := range words {
		if !strings.Contains(found[0].what, word) {
			s.Errorf("%q does not say %q", found[0].what, word)
		}
	}
	return found[0]
}

func (s *scene) clean(before string) {
	s.Helper()
	if found, summary := s.doctor(before); len(found) > 0 || !strings.HasPrefix(summary, "everything is in order: ") || strings.Contains(summary, "not checked") {
		s.Fatalf("the doctor is not content: %q; %s", found, summary)
	}
}

// mended checks that the doctor finds one thing, types its command word for
// word, twice, and checks that the doctor then finds nothing.
func (s *scene) mended(words ...string) {
	s.Helper()
	mend := s.finds("", words...).mend
	for range 2 {
		s.user(mend)
		s.clean("")
	}
}

// asRoot runs a command of the doctor that only root may run.
func (s *scene) asRoot(command string) {
	s.Helper()
	words, needed := strings.CutPrefix(command, "sudo ")
	if !needed {
		s.Fatalf("%q is nothing for root", command)
	}
	root := s.Command("/bin/sh", "-c", words)
	root.SysProcAttr.Credential = nil
	out, err := root.CombinedOutput()
	if err != nil {
		s.Fatalf("%s: %v: %s", words, err, out)
	}
}

// installed brings up a sandbox with the bridge in it and nothing wrong.
func installed(t *testing.T, options sandbox.Options) *scene {
	t.Helper()
	s := begin(t, options)
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityFull))
	s.install()
	s.online()
	return s
}

func TestDoctorOnTheService(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("sync.service", syncUnit) // this unit is correct
	s.mended(bridgeUnit, "not installed")
	s.systemctl("disable", bridgeUnit)
	s.mended(bridgeUnit, "not enabled")
	s.systemctl("stop", bridgeUnit)
	s.mended(bridgeUnit, "is not running")
	s.must(os.Remove(sandbox.Home + "/.config/systemd/user/default.target.wants/" + bridgeUnit))
	s.systemctl("mask", "--now", bridgeUnit)
	s.mended(bridgeUnit, "masked")

	const dropIn = sandbox.Home + "/.config/systemd/user/" + bridgeUnit + ".d/10-flags.conf"
	s.flags("--switches=internet,lid,lock --frobnicate")
	s.must(os.Rename(sandbox.Home+"/.config/systemd/user/"+bridgeUnit+".d/override.conf", dropIn))
	s.systemctl("daemon-reload")
	if out, err := s.Systemctl("restart", bridgeUnit); err == nil {
		t.Fatalf("wrong flags did not fail: %s", out)
	}
	f := s.finds("", bridgeUnit, "wrong flags in "+dropIn)
	if !strings.HasSuffix(f.mend, ": unknown flag --frobnicate: flags of run are --gone-grace, --limited-grace, --online-when, --switches") {
		t.Errorf("%q does not tell the wrong flag", f.mend)
	}
	s.user("sed -i 's/ --frobnicate//' " + dropIn)
	s.systemctl("daemon-reload")
	s.systemctl("restart", bridgeUnit)
	s.clean("")
	if line := s.systemctl("show", "-P", "ExecStart", bridgeUnit); !strings.Contains(line, "--switches=internet,lid,lock") {
		t.Errorf("what was right of the flags is gone: %s", line)
	}
	if result := s.systemctl("is-active", bridgeUnit); result != "active" {
		t.Errorf("the mended service is %s", result)
	}
	s.write(".config/systemd/user/nm-session-bridge.service.d/once.conf", "[Service]\nRestart=no\n")
	s.systemctl("daemon-reload")
	s.systemctl("kill", "--signal=KILL", bridgeUnit)
	s.expect("failed", bridgeUnit)
	s.mended(bridgeUnit, "has failed", "signal")
}

func TestDoctorOnTheTargets(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.clean("")
	s.systemctl("mask", "internet-offline.target")
	s.mended("internet-offline.target", "masked")

	s.write("lid-open.target", "[Unit]\nDescription=mine\n")
	s.systemctl("daemon-reload")
	s.mended("lid-open.target", ".config/systemd/user/lid-open.target", "Conflicts=lid-closed.target", "After=lid-closed.target")
	if kept := s.user("cat .config/systemd/user/lid-open.target"); !strings.Contains(kept, "Description=mine") {
		t.Errorf("the overriding target was lost: %s", kept)
	}
	// The finding about the counterpart covers both.
	s.write("lid-closed.target", "[Unit]\nDescription=mine\nConflicts=lid-open.target\n")
	s.systemctl("daemon-reload")
	s.clean("")
	s.write(".config/systemd/user/lid-open.target.d/mine.conf", "[Unit]\nPartOf=default.target\nRequires=lid-closed.service default.target\n")
	s.systemctl("daemon-reload")
	s.mended("lid-open.target", "has Requires=default.target", "has PartOf=default.target")

	s.write(".config/systemd/user/sleep.target.d/mine.conf", "[Unit]\nStopWhenUnneeded=yes\n")
	s.systemctl("daemon-reload")
	s.mended("sleep.target", "sleep.target.d/mine.conf", "StopWhenUnneeded=yes")

	s.enable("need.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n[Install]\nRequiredBy=internet-online.target\n")
	if f := s.finds("", "internet-online.target requires need.service, through RequiredBy="); !strings.Contains(f.mend, "replace RequiredBy= with WantedBy= in need.service") {
		t.Errorf("it is mended by %s", f.mend)
	}
	s.systemctl("disable", "need.service")
	if f := s.finds("", "need.service: RequiredBy=internet-online.target, but the unit is not enabled"); !strings.Contains(f.mend, "replace RequiredBy= with WantedBy= in need.service") {
		t.Errorf("it is mended by %s", f.mend)
	}
	s.user("rm .config/systemd/user/need.service; systemctl --user daemon-reload")
	s.clean("")

	s.must(os.Remove(installedUnits + "internet-portal.target"))
	s.systemctl("daemon-reload")
	s.mended("internet-portal.target", "not-found")
}

func TestDoctorOnSwitches(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.user("nm-session-bridge set lid closed")
	s.mended("lid is held closed by hand")

	s.enable("home.service", whileUnit("connection@home.target"))
	s.systemctl("start", "home.service")
	s.flags("--switches=internet,sleep")
	s.systemctl("daemon-reload")
	s.systemctl("restart", bridgeUnit)
	s.finds("", "the switch connection is switched off by --switches", "home.service")
	s.systemctl("disable", "--now", "home.service")
	s.must(os.Remove(sandbox.Home + "/.config/systemd/user/home.service"))
	s.systemctl("daemon-reload")
	s.clean("")
}

func TestDoctorOnTheEnvironment(t *testing.T) {
	s := installed(t, sandbox.Options{})
	const screen = "export DISPLAY=:7 WAYLAND_DISPLAY=wayland-7;"
	f := s.finds(screen, "DISPLAY and WAYLAND_DISPLAY")
	s.user(screen + f.mend)
	s.clean(screen)
	// Services cannot use the screen at the far end of ssh.
	s.systemctl("unset-environment", "DISPLAY", "WAYLAND_DISPLAY")
	s.clean("export DISPLAY=localhost:10.0 SSH_CONNECTION='192.0.2.1 1 192.0.2.2 22';")

	s.enable("sync.service", syncUnit)
	s.systemctl("start", "sync.service")
	s.clean("") // there are no units besides the bridge's
	s.write(".local/bin/tool", "#!/bin/sh\n")
	f = s.finds("", sandbox.Home+"/.local/bin in PATH")
	s.user(f.mend)
	s.clean("")
}

// Two things may be wrong with a unit. What is allowed is not a finding.
func TestDoctorOnUnitsTogether(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.write("later.service", "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=internet-online.target\n")
	s.systemctl("daemon-reload")
	found, _ := s.doctor("")
	if len(found) != 2 || !strings.Contains(found[0].what, "nothing stops it") || !strings.Contains(found[1].what, "not enabled") || found[0].mend != found[1].mend {
		t.Errorf("of a unit with two things wrong it says %q", found)
	}
	s.user(found[0].mend)
	s.clean("")
	s.enable("once.service", onceUnit("internet-online.target"))
	s.enable("lock.service", "[Unit]\nOnSuccess=lid-open.target\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=sleep.target\n")
	s.enable("unneeded.service", "[Unit]\nStopWhenUnneeded=yes\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=internet-online.target\n")
	s.enable("opposed.service", "[Unit]\nConflicts=internet-offline.target\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=internet-online.target\n")
	s.enable("optional.service", "[Unit]\nWants=not-installed.service\nAfter=not-installed.service\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=default.target\n")
	s.write("fetch.service", "[Unit]\nAfter=internet-online.target\nRequisite=internet-online.target\n[Service]\nType=oneshot\nExecStart=/bin/true\n")
	s.enable("fetch.timer", "[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n")
	s.write("template@.service", "[Unit]\nPartOf=internet-online.target\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=internet-online.target\n")
	s.enable("helped.service", syncUnit+"[Unit]\nWants=helper.service\n")
	s.write("helper.service", "[Unit]\nPartOf=internet-online.target\nAfter=internet-online.target\n[Service]\nExecStart=/bin/sleep infinity\n")
	s.systemctl("daemon-reload")
	s.systemctl("start", "unneeded.service", "opposed.service", "helped.service")
	s.clean("")
}

func TestDoctorOnAUnitThatWasNeverStarted(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.enable("sync.service", syncUnit)
	s.mended("sync.service: internet-online.target is active and wants it, but it was never started")
	s.expect("active", "sync.service")
	s.systemctl("stop", "sync.service")
	s.clean("") // as its user wants it

	// These units cannot be started now, refuse to be, or have already done their
	// work.
	s.enable("closed.service", "[Unit]\nRequisite=lid-closed.target\nAfter=lid-closed.target\n"+syncUnit)
	s.enable("opposed.service", "[Unit]\nConflicts=lid-open.target\n"+syncUnit)
	s.enable("condition.service", "[Unit]\nConditionPathExists=/nowhere\n"+syncUnit)
	s.systemctl("start", "condition.service")
	s.enable("once.service", onceUnit("internet-online.target"))
	s.enable("offline.service", whileUnit("internet-offline.target"))
	s.clean("")
}

func TestDoctorOnAFileThatWasNotRead(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.enable("sync.service", syncUnit)
	s.systemctl("start", "sync.service")
	s.write("sync.service", syncUnit+"# changed\n")
	later := time.Now().Add(time.Hour)
	s.must(os.Chtimes(sandbox.Home+"/.config/systemd/user/sync.service", later, later))
	s.mended("sync.service", "changed on disk")
}

func TestDoctorOnTheStartLimit(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.enable("sync.service", "[Unit]\nStartLimitIntervalSec=1h\nStartLimitBurst=1\n"+strings.TrimPrefix(syncUnit, "[Unit]\n"))
	s.systemctl("start", "sync.service")
	if _, err := s.Systemctl("restart", "sync.service"); err == nil {
		t.Fatal("systemd did not mind the second start")
	}
	s.mended("sync.service", "internet-online.target", "start-limit-hit")
	s.expect("active", "sync.service")
}

func TestDoctorOnWhatHasFailed(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	running := func(command string) string { // as often as the test wants; since systemd 257 a reload forgets no start
		return "[Unit]\nStartLimitIntervalSec=0\n" + strings.Replace(syncUnit, "/bin/sleep infinity", command, 1)
	}
	s.enable("gone.service", running("no-such-chat --online"))
	const then = "systemctl --user daemon-reload && systemctl --user reset-failed gone.service && systemctl --user restart gone.service"
	for command, is := range map[string]struct{ failure, mend string }{
		"no-such-chat --online": {"no-such-chat is missing or cannot be run (exit-code, 203/EXEC)", "install no-such-chat, or correct ExecStart= of gone.service"},
		"/bin/false --online":   {"exit-code, status 1", "find out why with journalctl --user -u gone.service, and fix that"},
	} {
		s.write("gone.service", running(command))
		s.systemctl("daemon-reload")
		s.user("systemctl --user restart gone.service || true") // systemd may or may not know that at once
		s.expect("failed", "gone.service")
		f := s.finds("", "gone.service, which internet-online.target wants, has failed: ", is.failure)
		if want := "# by hand: " + is.mend + "; then " + then; f.mend != want {
			t.Errorf("it is mended by %s, not %s", f.mend, want)
		}
		s.write("gone.service", running("sleep infinity"))
		s.user(then)
		s.expect("active", "gone.service")
	}

	const script = "is online.sh"
	s.must(s.WriteFile(script, []byte("#!/bin/sh\nexec sleep infinity\n"), 0o644))
	s.write("gone.service", running(`"%h/`+script+`"`))
	s.systemctl("daemon-reload")
	s.user("systemctl --user restart gone.service || true")
	s.expect("failed", "gone.service")
	s.mended("its program " + sandbox.Home + "/" + script + " is missing or cannot be run")
	s.expect("active", "gone.service")

	s.write("gone.service", running(`"it's"`))
	s.systemctl("daemon-reload")
	s.finds("", "gone.service cannot be loaded")

	s.write("gone.service", running("/nowhere"))
	s.systemctl("daemon-reload")
	s.user("systemctl --user restart gone.service || true")
	s.expect("failed", "gone.service")
	s.must(os.Remove(sandbox.Home + "/.config/systemd/user/gone.service"))
	s.systemctl("daemon-reload")
	if f := s.finds("", "gone.service, which internet-online.target wants, has failed: its file is gone"); f.mend != "# by hand: write its file again; then "+then+"; or have systemd forget the failure: systemctl --user reset-failed gone.service" {
		t.Errorf("the failure of a unit without a file is mended by %s", f.mend)
	}
	s.write("gone.service", running("/bin/sleep infinity"))
	s.user(then)
	s.expect("active", "gone.service")
	s.systemctl("stop", "gone.service")

	// As in the recipe, one of the user's own targets lies in between.
	s.write("gone.service", strings.ReplaceAll(running("/bin/sh -c 'kill -SEGV $$$$'"), "internet-online", "mine"))
	s.write("mine.target", whileUnit("internet-online.target"))
	s.systemctl("daemon-reload")
	s.systemctl("reenable", "gone.service")
	s.systemctl("enable", "--now", "mine.target")
	s.expect("active", "mine.target")
	s.expect("failed", "gone.service")
	s.finds("", "gone.service, which mine.target wants, has failed: ")
	s.write("gone.service", strings.ReplaceAll(running("/bin/sleep infinity"), "internet-online", "mine"))
	s.systemctl("daemon-reload")
	s.systemctl("restart", "gone.service")
	s.clean("")

	s.write("mine.target", strings.Replace(whileUnit("internet-online.target"), "[Unit]\n", "[Unit]\nUpholds=kept.service\n", 1))
	// systemd starts an upheld unit again as soon as it has failed, if that is
	// allowed.
	kept := strings.Replace(whileUnit("mine.target"), "[Unit]\n", "[Unit]\nStartLimitIntervalSec=infinity\nStartLimitBurst=1\n", 1)
	s.write("kept.service", strings.Replace(kept, "/bin/sleep infinity", "/bin/false", 1))
	s.systemctl("daemon-reload")
	s.systemctl("restart", "mine.target")
	s.expect("failed", "kept.service")
	s.settle()
	s.finds("", "kept.service, which mine.target wants, has failed: ")
}

func TestDoctorOnARecipeThatIsNotEnabledYet(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	for recipe, units := range map[string][]string{
		"timer":                   {"calendars.timer"},
		"both":                    {"chat.service", "online-and-open.target"},
		"mail":                    {"mail-sync.service"},
		"vpn --set PROFILE=home":  nil,
		"home --set PROFILE=home": nil,
		"away --set PROFILE=home --set REMOTE=a --set NETWORK=b": nil,
	} {
		s.user(program + " recipe add " + recipe)
		found, summary := s.doctor("")
		for i, unit := range units {
			if len(found) != len(units) || !strings.HasPrefix(found[i].what, unit+": WantedBy=") || !strings.HasSuffix(found[i].what, "but the unit is not enabled") {
				t.Errorf("of the recipe %s it finds %q", recipe, found)
			}
		}
		if len(found) != len(units) {
			t.Errorf("of the recipe %s it says %q; %s", recipe, found, summary)
		}
		if recipe == "both" {
			s.systemctl("enable", "online-and-open.target")
			s.systemctl("start", "online-and-open.target")
			s.standIn(map[string]string{"gajim": stayingProgram})
			s.mended("chat.service: WantedBy=online-and-open.target, but the unit is not enabled")
			s.expect("active", "chat.service")
			s.systemctl("disable", "--now", "online-and-open.target", "chat.service")
		}
		s.user("rm .config/systemd/user/*.service .config/systemd/user/*.t* 2>/dev/null; systemctl --user daemon-reload")
	}
}

func TestDoctorOnNetworkManager(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.must(s.NM.Stop(s.ctx))
	if f := s.finds("", "NetworkManager is not running"); !strings.Contains(f.mend, "sudo systemctl enable --now NetworkManager.service") {
		t.Errorf("it is mended by %s", f.mend)
	}
	const conf = "/run/sandbox/networkmanager/NetworkManager.conf"
	with, err := os.ReadFile(conf)
	s.must(err)
	without, check, found := strings.Cut(string(with), "[connectivity]")
	if !found {
		t.Fatalf("there is no check in %s", with)
	}
	s.must(os.WriteFile(conf, []byte(without), 0o600))
	s.must(s.NM.Start(s.ctx))
	if f := s.finds("", "connectivity check is off"); !strings.HasPrefix(f.mend, "sudo apt install network-manager-config-connectivity-debian && sudo systemctl reload") {
		t.Errorf("it is mended by %s", f.mend)
	}
	// This is what the package installs, and what its reload does.
	s.must(os.WriteFile(conf, append([]byte(without), "[connectivity]"+check...), 0o600))
	s.must(s.NM.Signal(syscall.SIGHUP))
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityFull))
	s.clean("")

	s.nmcli("general", "reload") // this returns once the reload is done
	root, err := s.SystemBus.Connect(s.ctx)
	s.must(err)
	defer root.Close()
	const name = "org.freedesktop.NetworkManager"
	s.must(root.Object(name, "/org/freedesktop/NetworkManager").SetProperty(name+".ConnectivityCheckEnabled", false))
	s.asRoot(s.finds("", "connectivity check is switched off").mend)
	s.clean("")

	s.must(s.NM.Signal(syscall.SIGSTOP))
	f := s.finds("", "NetworkManager does not answer")
	if f.mend != "sudo systemctl restart NetworkManager.service" {
		t.Errorf("it is mended by %s", f.mend)
	}
	s.must(s.NM.Signal(syscall.SIGCONT))
	s.clean("")
}

func TestDoctorOnLogind(t *testing.T) {
	s := installed(t, sandbox.Options{Login1: fakes.Logind252})
	if f := s.finds("", "does not signal the lid", "no UPower"); !strings.HasPrefix(f.mend, "sudo apt install upower && ") {
		t.Errorf("it is mended by %s", f.mend)
	}
	// This is the part of the package that makes the bus know the service.
	s.must(os.WriteFile("/usr/share/dbus-1/system-services/org.freedesktop.UPower.service",
		[]byte("[D-BUS Service]\nName=org.freedesktop.UPower\nExec=/bin/false\nUser=root\n"), 0o644))
	t.Cleanup(func() { _ = os.Remove("/usr/share/dbus-1/system-services/org.freedesktop.UPower.service") })
	root, err := s.SystemBus.Connect(s.ctx)
	s.must(err)
	defer root.Close()
	s.must(root.BusObject().CallWithContext(s.ctx, "org.freedesktop.DBus.ReloadConfig", 0).Err)
	s.clean("")
	s.must(s.Login1.Vanish())
	f := s.finds("", "logind is not running")
	if f.mend != "sudo systemctl start systemd-logind.service" {
		t.Errorf("it is mended by %s", f.mend)
	}
	s.must(s.Login1.Appear(s.ctx))
	s.clean("")
}

func TestDoctorOnTheDelayOfSleep(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.enable("slow.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep 0.5\n[Install]\nWantedBy=sleep.target\n")
	s.clean("")
	s.must(s.Login1.PrepareForSleep(true))
	s.expect("active", "sleep.target")
	s.must(s.Login1.PrepareForSleep(false))
	s.expect("inactive", "sleep.target")
	s.Login1.SetInhibitDelayMax(time.Hour)
	s.clean("")
	s.Login1.SetInhibitDelayMax(500 * time.Millisecond)
	f := s.finds("", "InhibitDelayMaxSec=0.5s", "slow.service", "whose last start took ")
	enough := regexp.MustCompile(`InhibitDelayMaxSec=(\d+)`).FindStringSubmatch(f.mend)
	if enough == nil || !strings.HasPrefix(f.mend, "sudo ") {
		t.Fatalf("it is mended by %s", f.mend)
	}
	limit, err := strconv.Atoi(enough[1])
	s.must(err)
	s.Login1.SetInhibitDelayMax(time.Duration(limit) * time.Second)
	s.clean("")
}

func TestDoctorWithoutASessionBus(t *testing.T) {
	s := installed(t, sandbox.Options{})
	const lost = "unset DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR;"
	f := s.finds(lost, "no session bus", "DBUS_SESSION_BUS_ADDRESS")
	if f.mend != "export XDG_RUNTIME_DIR="+sandbox.RuntimeDir {
		t.Errorf("it is mended by %s", f.mend)
	}
	s.clean(lost + f.mend + ";")

	const lonely = "unix:path=" + sandbox.Home + "/lonely"
	bus := s.Command("dbus-daemon", "--session", "--nofork", "--print-address=1", "--address="+lonely)
	printed, err := bus.StdoutPipe()
	s.must(err)
	s.must(bus.Start())
	_, err = printed.Read(make([]byte, 1))
	s.must(err)
	const other = "export DBUS_SESSION_BUS_ADDRESS=" + lonely + ";"
	f = s.finds(other, "no systemd user manager", lonely)
	s.clean(other + f.mend + ";")
	s.must(bus.Process.Kill())
	_ = bus.Wait() // killed

	s.must(s.User.Stop(s.ctx))
	if f = s.finds("", "the session bus cannot be reached at unix:path="+sandbox.SessionBus); !strings.HasSuffix(f.mend, fmt.Sprintf("sudo systemctl start user@%d.service", sandbox.UID)) {
		t.Errorf("it is mended by %s", f.mend)
	}
	_, summary := s.doctor("")
	for _, unchecked := range []string{"not checked", "service", "targets", "units", "(no session bus)"} {
		if !strings.Contains(summary, unchecked) {
			t.Errorf("%q does not say %q", summary, unchecked)
		}
	}
	s.must(s.User.Start(s.ctx))
	s.clean("")
}

func TestDoctorWithoutASystemBus(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("mask", "sleep.target")
	s.must(s.SystemBus.Kill(s.ctx))
	s.status("waiting for the system bus")
	found, summary := s.doctor("")
	if len(found) != 2 || !strings.Contains(found[0].what, "the system bus cannot be reached at unix:path=") || found[1].what != "sleep.target is masked" {
		t.Errorf("found %q", found)
	}
	if want := "2 findings; not checked: NetworkManager, links, logind, power, idleness and delay of sleep (no system bus)"; summary != want {
		t.Errorf("it ends with %q, not %q", summary, want)
	}
}
