package integration

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

const installedProgram = sandbox.Home + "/.local/bin/nm-session-bridge"

// watchful makes the bridge look at its file each second.
func (s *scene) watchful() {
	s.Helper()
	s.write(".config/systemd/user/"+bridgeUnit+".d/watchdog.conf", "[Service]\nWatchdogSec=2s\n")
}

// replace puts a file in the place of one of the user's, as package managers do.
func (s *scene) replace(path string, change func(string) string) {
	s.Helper()
	info, err := os.Stat(path)
	s.must(err)
	content, err := os.ReadFile(path)
	s.must(err)
	s.must(s.WriteFile(path+".new", []byte(change(string(content))), info.Mode()))
	s.must(os.Rename(path+".new", path))
}

func newer(program string) string { return program + "newer" } // trailing bytes do nothing

func TestAReplacedProgramTakesOver(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.watchful()
	s.enable("sync.service", syncUnit)
	s.enable("on.service", onceUnit("internet-online.target"))
	s.enable("open.service", onceUnit("lid-open.target"))
	s.install()
	s.online()
	s.started("on.service", 1)
	s.started("open.service", 1)
	s.replace(installedProgram, func(same string) string { return same })
	s.replace(installedUnits+bridgeUnit, func(unit string) string { return unit + "\n[Unit]\nDescription=the new one\n" })
	s.replace(installedProgram, newer)
	s.secondBridge()
	if got := s.systemctl("show", "--value", "--property=Description", bridgeUnit); got != "the new one" {
		t.Errorf("the user manager still knows %q", got)
	}
	if outdated := s.outdated(); outdated != "" {
		t.Errorf("the user manager should be reloaded, for %s", outdated)
	}
	process := s.systemctl("show", "--value", "--property=MainPID", bridgeUnit)
	runs, err := os.Stat("/proc/" + process + "/exe")
	s.must(err)
	if installed, err := os.Stat(installedProgram); err != nil || !os.SameFile(runs, installed) {
		t.Errorf("what runs is not what is installed: %v", err)
	}
	if log := s.log(); !strings.Contains(log, "the program was replaced; the new one takes over") {
		t.Errorf("logged %s", log)
	}
	s.undisturbed()
	s.started(bridgeUnit, 2)
}

// A package manager cannot stop the units of users, because it must not trust them.
func TestARemovedProgramStopsItsTargets(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.watchful()
	s.enable("sync.service", syncUnit)
	s.enable("home.service", strings.ReplaceAll(syncUnit, "internet-online", "connection@home"))
	s.enable("locker.service", lockerUnit)
	s.write("power-ac.target", "[Unit]\nDescription=my own\n")
	s.install()
	s.online()
	s.lock("unlocked")
	s.askFor("locked")
	s.expect("active", "sync.service", "home.service", "lid-open.target", "locker.service", "power-ac.target")
	s.user("nm-session-bridge set lid closed")
	s.expect("active", "lid-closed.target")
	s.user("rm .local/bin/nm-session-bridge .local/share/systemd/user/*")
	s.expect("inactive", bridgeUnit, "sync.service", "home.service", "internet-online.target", "connection@home.target", "lid-closed.target", "vpn-down.target")
	s.settle()
	s.expect("active", "lock.target", "locker.service", "power-ac.target")
	s.started("lock.target", 1)
	s.started("power-ac.target", 1)
	s.started(bridgeUnit, 1)
	if state := s.systemctl("show", "--property=LoadState,Result", bridgeUnit); !strings.Contains(state, "LoadState=not-found") || !strings.Contains(state, "Result=success") {
		t.Errorf("the service is %s", state)
	}
	if left := s.user("ls $XDG_RUNTIME_DIR"); strings.Contains(left, "nm-session-bridge") {
		t.Errorf("what is held by hand was left: %s", left)
	}
}

// byHand starts a bridge by hand, and waits until it knows that the internet is online.
func (s *scene) byHand(path string, arguments ...string) *os.Process {
	s.Helper()
	cmd := s.CommandContext(s.ctx, path, arguments...)
	cmd.Stderr = os.Stderr
	s.must(cmd.Start())
	s.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	s.until("the bridge runs", func() bool { return s.Command(path, "wait", "internet", "online").Run() == nil })
	return cmd.Process
}

// It waits for a bridge that was started by hand, which keeps the targets.
func TestARemovedProgramThatWaitsStopsNothing(t *testing.T) {
	const path = sandbox.Home + "/by-hand"
	s := begin(t, sandbox.Options{})
	s.watchful()
	s.user(program + " install && cp " + program + " " + path)
	s.byHand(path, "run")
	s.user(path + " set lid closed")
	s.expect("active", "lid-closed.target")
	s.systemctl("start", bridgeUnit)
	s.until("the service waits", func() bool { return strings.Contains(s.log(), "waiting until it ends") })
	s.user("rm .local/bin/nm-session-bridge .local/share/systemd/user/*")
	s.expect("inactive", bridgeUnit)
	s.settle()
	s.expect("active", "internet-online.target", "lid-closed.target")
	s.started("lid-closed.target", 1)
	if held := s.user("cat $XDG_RUNTIME_DIR/nm-session-bridge/overrides"); held != `lid "closed"` {
		t.Errorf("held is %s", held)
	}
}

// The user's own unit belongs to the user, even if its program is gone.
func TestARemovedProgramOfTheUsersOwnUnitRunsOn(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.watchful()
	s.install()
	s.online()
	s.user("cp .local/share/systemd/user/" + bridgeUnit + " .config/systemd/user && systemctl --user daemon-reload")
	s.user("rm .local/bin/nm-session-bridge .local/share/systemd/user/" + bridgeUnit) // the targets stay known
	s.must(s.Uplink.Unplug(s.ctx))
	s.offline()
	s.user("sleep 5") // several looks, none of which can be seen from outside
	s.must(s.Uplink.Plug(s.ctx))
	s.online()
	s.started(bridgeUnit, 1)
}

func TestUninstallLeavesALockedScreenAndTheUsersOwnUnits(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("locker.service", lockerUnit)
	s.write("power-ac.target", "[Unit]\nDescription=my own\n")
	s.install()
	s.lock("unlocked")
	s.askFor("locked")
	s.expect("active", "locker.service", "power-ac.target", "lid-open.target")
	out := s.user(".local/bin/nm-session-bridge uninstall")
	s.expect("inactive", bridgeUnit, "lid-open.target")
	s.settle()
	s.expect("active", "lock.target", "locker.service", "power-ac.target")
	s.started("lock.target", 1)
	s.started("power-ac.target", 1)
	for _, unit := range []string{"lock.target", "power-ac.target"} {
		if !strings.Contains(out, "left "+unit+" active: ") {
			t.Errorf("uninstall does not say that it leaves %s: %s", unit, out)
		}
	}
}

func TestAProgramThatNobodyWatchesIsReplacedToo(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.write(".config/systemd/user/"+bridgeUnit+".d/watchdog.conf", "[Service]\nWatchdogSec=0\n")
	s.install()
	s.online()
	s.replace(installedProgram, newer)
	s.secondBridge()
}

// Nobody would restart a bridge that was started by hand, or by a service without Restart=.
func TestAProgramThatNobodyWouldStartAgainBecomesTheNewOne(t *testing.T) {
	const mine = "mine.service"
	mainProcess := func(s *scene, unit string) int {
		number, err := strconv.Atoi(s.systemctl("show", "--value", "--property=MainPID", unit))
		s.must(err)
		return number
	}
	for name, start := range map[string]func(s *scene, path string) (process int){
		"by hand": func(s *scene, path string) int { return s.byHand(path, "run", "--switches=internet").Pid },
		"by our unit without its restarts": func(s *scene, path string) int {
			s.write(".config/systemd/user/"+bridgeUnit+".d/mine.conf",
				"[Service]\nRestart=no\nRestartForceExitStatus=\nWatchdogSec=2s\nExecStart=\nExecStart=\""+path+"\" run\n")
			s.systemctl("daemon-reload")
			s.systemctl("start", bridgeUnit)
			return mainProcess(s, bridgeUnit)
		},
		"by a unit of the user's": func(s *scene, path string) int {
			s.user("systemd-run --user --quiet --unit=" + mine + " --property=Type=notify --property=WatchdogSec=2s '" + path + "' run")
			return mainProcess(s, mine)
		},
	} {
		t.Run(name, func(t *testing.T) {
			const path = sandbox.Home + "/my bridge"
			s := begin(t, sandbox.Options{})
			s.install()
			s.systemctl("stop", bridgeUnit)
			s.user("cp " + program + " '" + path + "'")
			process := start(s, path)
			before, err := os.Stat(fmt.Sprintf("/proc/%d/exe", process))
			s.must(err)
			s.replace(path, newer)
			s.until("the new program runs", func() bool {
				// If a thread other than the first calls execve, this file is missing for a moment.
				runs, err := os.Stat(fmt.Sprintf("/proc/%d/exe", process))
				return err == nil && !os.SameFile(runs, before)
			})
			s.must(s.Uplink.Unplug(s.ctx))
			s.offline()
		})
	}
}
