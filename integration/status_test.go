package integration

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// report is the part of status --json's output that the tests look at.
type report struct {
	Running  bool
	Switches []struct {
		Name, Position, Reason, Source, Lock string
		Since                                string
		Held                                 bool
		Targets                              []struct {
			Name, Active string
			Units        []boundUnit
		}
	}
	Facts map[string]string
}

type boundUnit struct {
	Name, Active, Sub, Result string
	Units                     []boundUnit
}

// states returns the states of switches, targets and units by name.
func (r report) states() map[string]string {
	states := map[string]string{}
	for _, s := range r.Switches {
		states[s.Name] = s.Position
		for _, target := range s.Targets {
			states[target.Name] = target.Active
			for _, u := range target.Units {
				states[u.Name] = strings.TrimSpace(u.Active + " " + u.Result)
			}
		}
	}
	return states
}

func (s *scene) json(status int, line string) report {
	s.Helper()
	var r report
	out := ""
	if status == 0 {
		out = s.user(line)
	} else {
		out = s.fails(status, line)
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		s.Fatalf("%s: %v: %s", line, err, out)
	}
	return r
}

func (s *scene) wantStates(r report, want map[string]string) {
	s.Helper()
	got := r.states()
	for name, state := range want {
		if got[name] != state {
			s.Errorf("status says that %s is %q, not %q", name, got[name], state)
		}
	}
}

const crashingUnit = `[Service]
ExecStart=/bin/false
[Install]
WantedBy=internet-online.target
`

func TestStatusTellsSwitchesTargetsAndWhatIsBoundToThem(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("sync.service", syncUnit)
	s.enable("bound.service", "[Unit]\nBindsTo=lid-closed.target\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=lid-closed.target\n")
	s.enable("crash.service", crashingUnit)
	s.install()
	s.online()
	s.expect("failed", "crash.service")
	want := map[string]string{
		"internet": "online", "lid": "open", "sleep": "awake",
		"internet-online.target": "active", "internet-offline.target": "inactive", "lid-closed.target": "inactive",
		"sync.service": "active", "bound.service": "inactive", "crash.service": "failed exit-code",
	}
	r := s.json(0, "nm-session-bridge status --json")
	s.wantStates(r, want)
	if !r.Running || r.Switches[0].Since == "" || !strings.Contains(r.Switches[0].Reason, "Connectivity=Full") || r.Facts["NetworkManager.Connectivity"] != "Full" {
		t.Errorf("status says %+v", r)
	}
	words := s.user("nm-session-bridge status")
	t.Log("\n" + words)
	for _, line := range []string{"internet    online", "● internet-online.target", "● sync.service", "× crash.service", "○ bound.service", "NetworkManager.Connectivity"} {
		if !strings.Contains(words, line) {
			t.Errorf("status does not say %q:\n%s", line, words)
		}
	}
	if strings.Contains(words, "\x1b") {
		t.Error("status is coloured in a pipe")
	}
	if words := s.user("TERM=xterm script -qec 'nm-session-bridge status' /dev/null"); !strings.Contains(words, "\x1b[32mactive\x1b[0m") {
		t.Errorf("status is not coloured on a terminal:\n%q", words)
	}

	s.systemctl("stop", bridgeUnit)
	s.must(s.Login1.Vanish())
	r = s.json(3, "nm-session-bridge status --json")
	want["sleep"] = "awake"
	s.wantStates(r, want)
	if r.Running || r.Facts["NetworkManager.Connectivity"] != "Full" || r.Facts["logind"] != "is not running" {
		t.Errorf("status of a bridge that is down says %+v", r)
	}
	words = s.fails(3, "nm-session-bridge status")
	t.Log("\n" + words)
	if !strings.Contains(words, "nm-session-bridge is not running") || !strings.Contains(words, "systemctl --user start nm-session-bridge") {
		t.Errorf("status does not say that the bridge is down:\n%s", words)
	}
	s.fails(1, "env -u DBUS_SESSION_BUS_ADDRESS -u XDG_RUNTIME_DIR nm-session-bridge status")
}

func TestWhatCannotBePrintedIsAFailure(t *testing.T) {
	s := begin(t, sandbox.Options{})
	const want = "nm-session-bridge: write /dev/stdout: no space left on device"
	check := func(lines ...string) {
		for _, line := range lines {
			if out := s.fails(1, program+" "+line+" 2>&1 >/dev/full"); out != want {
				t.Errorf("%s says %q", line, out)
			}
		}
	}
	check("status", "doctor")
	s.install()
	s.online()
	check("status", "status --json", "doctor", "set lid auto", "monitor", "monitor --json", "history", "history --json", "recipe add mail", "uninstall")
}

func TestStatusTellsWhatIsBoundToTheUsersOwnTargets(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("one.target", strings.Replace(whileUnit("internet-online.target"), "[Service]\nExecStart=/bin/sleep infinity\n", "Wants=lid-open.target\n", 1))
	s.enable("two.target", "[Unit]\nWants=one.target\nUpholds=kept.service\n[Install]\nWantedBy=one.target\n") // a loop
	s.enable("three.target", "[Install]\nWantedBy=two.target\n")
	s.enable("one.service", whileUnit("one.target"))
	s.enable("two.service", whileUnit("two.target"))
	s.enable("three.service", whileUnit("three.target"))
	s.write("kept.service", "[Service]\nExecStart=/bin/sleep infinity\n")
	s.install()
	s.online()
	s.expect("active", "one.service", "two.service", "three.service")
	words := s.user("nm-session-bridge status")
	const want = `
  ● internet-online.target    active
      ● one.target            active (active)
          ● one.service       active (running)
          ● two.target        active (active)
              ● kept.service  active (running)
              ● three.target  active (active)
              ● two.service   active (running)
  ○ internet-offline.target   inactive
`
	if !strings.Contains(words, want) {
		t.Errorf("status says\n%s\nwithout%s", words, want)
	}
	switches := s.json(0, "nm-session-bridge status --json").Switches
	one := switches[0].Targets[0].Units[0]
	if one.Name != "one.target" || len(one.Units) != 2 || one.Units[0].Name != "one.service" || one.Units[1].Units[2].Name != "two.service" {
		t.Errorf("status --json says %+v", one)
	}
}

func TestSetHoldsASwitchUntilAuto(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("sync.service", syncUnit)
	s.install()
	s.online()
	s.user("nm-session-bridge set internet offline")
	s.offline()
	s.expect("inactive", "sync.service")
	s.status("internet offline (held by hand)")
	if got := s.get("Overrides"); got != `a{ss} 1 "internet" "offline"` {
		t.Errorf("Overrides is %s", got)
	}
	if words := s.user("nm-session-bridge status"); !strings.Contains(words, "held by hand") {
		t.Errorf("status does not tell:\n%s", words)
	}

	s.systemctl("kill", "-s", "KILL", bridgeUnit)
	s.secondBridge()
	s.status("internet offline (held by hand)")
	s.must(s.NM.Restart(s.ctx)) // a fact that changes meanwhile
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityFull))
	s.user("nm-session-bridge set lid closed")
	s.lid("closed")
	s.must(s.Login1.SetLid(true))
	s.user("nm-session-bridge set lid auto")
	s.lid("closed")
	s.must(s.Login1.SetLid(false))
	s.lid("open")
	s.started("internet-online.target", 1)

	s.user("nm-session-bridge set internet auto")
	s.online()
	s.expect("active", "sync.service")
	if got := s.get("Overrides"); got != "a{ss} 0" {
		t.Errorf("Overrides is %s", got)
	}
	s.systemctl("restart", bridgeUnit)
	s.must(s.timeline.WaitStarts(s.ctx, bridgeUnit, 3))
	s.status("internet online")
	s.started("sync.service", 2)

	s.fails(2, "nm-session-bridge set internet maybe")
	s.systemctl("stop", bridgeUnit)
	const want = "nm-session-bridge: the bridge is not running; nm-session-bridge doctor says why, and how to start it"
	if out := s.fails(1, "nm-session-bridge set internet offline"); out != want {
		t.Errorf("set said %q", out)
	}
}

func TestWhatNamesTheProgramNamesItAsItWasCalled(t *testing.T) {
	s := begin(t, sandbox.Options{Unplugged: true})
	if out := s.fails(1, program+" set lid open"); out != "nm-session-bridge: the bridge is not running; "+program+" doctor says why, and how to start it" {
		t.Errorf("set said %q", out)
	}
	if out := s.fails(3, program+" status"); !strings.Contains(out, "It is not installed; install it: "+program+" install --now\n") {
		t.Errorf("status said\n%s", out)
	}
	s.install()
	s.user(program + " set lid closed")
	if out := s.user("PATH=/usr/bin:/bin " + program + " status"); !strings.Contains(out, `"`+program+` set lid auto" ends that`) {
		t.Errorf("status said\n%s", out)
	}
}

func TestSetOfASwitchThatIsSwitchedOff(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.flags("--switches=internet,sleep")
	s.install()
	s.online()
	for _, position := range []string{"open", "auto"} {
		out := s.fails(1, "nm-session-bridge set lid "+position)
		for _, words := range []string{"the switch lid is switched off by --switches=internet,sleep", "systemctl --user edit nm-session-bridge"} {
			if !strings.Contains(out, words) || strings.Contains(out, "\n") {
				t.Errorf("set lid %s said %q", position, out)
			}
		}
	}
}

// What is held of a switch that is left out for a while is not lost.
func TestAHoldOutlivesABridgeWithoutTheSwitch(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.lid("open")
	s.user("nm-session-bridge set lid closed")
	s.flags("--switches=internet")
	s.systemctl("daemon-reload")
	s.systemctl("restart", bridgeUnit)
	s.user("nm-session-bridge set internet offline")
	s.flags("")
	s.systemctl("daemon-reload")
	s.systemctl("restart", bridgeUnit)
	s.status("lid closed (held by hand)")
	s.status("internet offline (held by hand)")
}

func TestSetOfProfiles(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.profile("br0", "Home Wifi")
	s.profiles("home", "Home Wifi")
	const held = "connection is held %s by hand\n"
	for position, doubt := range map[string]string{
		"home":              "",
		`Home\x20Wifi home`: "",
		"none":              "",
		"hmoe":              `no profile is called "hmoe", but "home" is, which units write as home`,
		"moon sun":          `no profile is called "moon"; no profile is called "sun"`,
		"Home Wifi":         `units write the profile "Home Wifi" as Home\x20Wifi`,
	} {
		want := fmt.Sprintf(held, position)
		if doubt != "" {
			want += "nm-session-bridge: note: " + doubt
		}
		if got := s.user("nm-session-bridge set connection '" + position + "'"); got != strings.TrimSpace(want) {
			t.Errorf("set connection %q said %q, not %q", position, got, want)
		}
		s.profiles(map[string][]string{
			"home": {"home"}, `Home\x20Wifi home`: {"home", "Home Wifi"}, "hmoe": {"hmoe"}, "moon sun": {"moon", "sun"}, "Home Wifi": {"Home", "Wifi"},
		}[position]...)
	}
	if out := s.user("nm-session-bridge set connection moon 2>&1 >/dev/null"); !strings.Contains(out, "moon") {
		t.Errorf("on stderr it said %q", out)
	}
	s.user("nm-session-bridge set connection auto")
	s.profiles("home", "Home Wifi")
	s.must(s.NM.Stop(s.ctx))
	if out := s.user("nm-session-bridge set connection moon"); out != "connection is held moon by hand" {
		t.Errorf("without NetworkManager it said %q", out)
	}
}

func TestAProfileThatIsTooLongForATargetIsNotOffered(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityFull))
	s.profile("br0", "Home Wifi")
	s.profile("br1", strings.Repeat("ö", 80))
	// The last line is for the shell's script.
	if got := s.user(program + " __completeNoDesc set connection '' 2>/dev/null | sed '$d'"); got != "auto\nnone\nHome\\x20Wifi\nhome" {
		t.Errorf("offered are\n%s", got)
	}
}

func TestHeldSwitchesEndWithTheLogin(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.online()
	s.user("nm-session-bridge set internet offline")
	s.offline()
	s.must(s.User.Stop(s.ctx))
	s.must(os.RemoveAll(sandbox.RuntimeDir)) // as logind does after the last session
	s.must(s.User.Start(s.ctx))
	s.record()
	s.online()
}

// lines runs a command of the user in the background and returns its lines.
func (s *scene) lines(name string, args ...string) <-chan string {
	s.Helper()
	cmd := s.Command(name, args...)
	out, err := cmd.StdoutPipe()
	s.must(err)
	s.must(cmd.Start())
	lines := make(chan string, 64)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			lines <- scanner.Text()
		}
	}()
	s.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	})
	return lines
}

// line waits for a line that contains some words.
func (s *scene) line(lines <-chan string, words string) {
	s.Helper()
	for {
		select {
		case line, open := <-lines:
			if !open {
				s.Fatalf("no line with %q", words)
			}
			if strings.Contains(line, words) {
				s.Log(line)
				return
			}
		case <-s.ctx.Done():
			s.Fatalf("no line with %q", words)
		}
	}
}

func TestMonitorFollowsOverARestart(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.online()
	words, objects := s.lines("nm-session-bridge", "monitor"), s.lines("nm-session-bridge", "monitor", "--json")
	s.line(words, "nm-session-bridge is running")
	s.line(words, "internet    online  Connectivity=Full")
	s.line(objects, `"running":true`)
	s.line(objects, `"switch":"internet","to":"online","reason":"Connectivity=Full`)
	s.line(objects, `"switch":"sleep"`)
	s.check(sandbox.PortalBody)
	s.line(words, "internet    online → portal  Connectivity=Portal")
	s.line(objects, `"switch":"internet","from":"online","to":"portal","reason":"Connectivity=Portal`)
	s.systemctl("restart", bridgeUnit)
	s.line(words, "nm-session-bridge is not running")
	s.line(words, "nm-session-bridge is running")
	s.line(objects, `"running":false`)
	s.line(objects, `"running":true`)
	s.must(s.Login1.SetLid(true))
	s.line(words, "lid         open → closed  LidClosed=true")
	s.line(objects, `"switch":"lid","from":"open","to":"closed"`)
}
