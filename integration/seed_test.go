package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// The unit files of the blog post that the bridge grew out of, word for word.
const (
	seedWatchNetworking = `[Unit]
Description=Notify when network online /offline

[Service]
Type=simple
ExecStart=/home/gemini/bin/routetest.py

[Install]
WantedBy=default.target
`
	seedOnline = `[Unit]
Description=There is a default route so it looks like we are on the internet
Conflicts=internet-offline.target
`
	seedOffline = `[Unit]
Description=There is no default route so it looks like we are not on the internet
Conflicts=internet-online.target
`
	seedWatchMailbox = `[Unit]
Description=Watch mailbox for new email
BindsTo=internet-online.target

[Service]
Type=simple
ExecStart=/home/gemini/bin/emailsync.py

[Install]
WantedBy=internet-online.target
`
)

// The post does not show its scripts. These do what it says about them.
const (
	routetest = `#!/usr/bin/python3
import subprocess, time
before = None
while True:
    route = subprocess.run(["ip", "route", "show", "default"], capture_output=True).stdout
    now = "internet-online.target" if route else "internet-offline.target"
    if now != before:
        subprocess.run(["/home/gemini/bin/ratpoison", "-c", "echo routetest " + now])
        subprocess.run(["systemctl", "--user", "start", now])
        before = now
    time.sleep(0.2)
`
	emailsync = `#!/usr/bin/python3
import signal
signal.pause()
`
	// ratpoison stands in for the window manager's remote control, xset and
	// rfkill for the screen and the radios: they keep a record of their calls.
	recorder = `#!/bin/sh
echo "${0##*/} $*" >> /home/gemini/calls
`
)

// once returns a oneshot that runs a command line whenever a target is reached.
func once(target, commandLine string) string {
	return "[Service]\nType=oneshot\nExecStart=" + commandLine + "\n[Install]\nWantedBy=" + target + "\n"
}

// beginSeed puts the palmtop of the post into a sandbox: its scripts, targets
// and units, with the mailbox enabled.
func beginSeed(t *testing.T, options sandbox.Options) *scene {
	t.Helper()
	s := begin(t, options)
	s.write("bin/routetest.py", routetest)
	s.write("bin/emailsync.py", emailsync)
	for _, program := range []string{"ratpoison", "xset", "rfkill"} {
		s.write("bin/"+program, recorder)
	}
	s.write("internet-online.target", seedOnline)
	s.write("internet-offline.target", seedOffline)
	s.write("watch-networking.service", seedWatchNetworking)
	s.enable("watch-mailbox.service", seedWatchMailbox)
	return s
}

// calls returns the recorded calls, in order.
func (s *scene) calls() string {
	s.Helper()
	content, err := os.ReadFile(sandbox.Home + "/calls")
	if os.IsNotExist(err) {
		return ""
	}
	s.must(err)
	return strings.TrimSpace(string(content))
}

// alert waits until the window manager's last alert contains some words.
func (s *scene) alert(words string) {
	s.Helper()
	s.follow(words, "tail", "--follow", "--lines=1", sandbox.Home+"/calls")
}

func TestTheSeedWithTheBridgeInPlaceOfItsScript(t *testing.T) {
	s := beginSeed(t, sandbox.Options{Unplugged: true})
	s.enable("alert-online.service", once("internet-online.target", "/home/gemini/bin/ratpoison -c 'echo online'"))
	s.enable("alert-offline.service", once("internet-offline.target", "/home/gemini/bin/ratpoison -c 'echo offline'"))
	s.install()
	s.offline()
	s.started("alert-offline.service", 1)
	s.started("watch-mailbox.service", 0)
	for _, target := range []string{"internet-online.target", "internet-offline.target"} {
		if path := s.systemctl("show", "-P", "FragmentPath", target); path != sandbox.Home+"/.config/systemd/user/"+target {
			t.Errorf("%s is read from %s, not from the user's own file", target, path)
		}
	}

	s.must(s.Uplink.Plug(s.ctx))
	s.online()
	s.expect("active", "watch-mailbox.service")
	s.started("alert-online.service", 1)
	s.must(s.Uplink.Unplug(s.ctx))
	s.offline()
	s.expect("inactive", "watch-mailbox.service")
	s.started("alert-offline.service", 2)
	s.must(s.Uplink.Plug(s.ctx))
	s.online()
	s.started("watch-mailbox.service", 2)
	s.started("alert-online.service", 2)
	want := "ratpoison -c echo offline\nratpoison -c echo online\nratpoison -c echo offline\nratpoison -c echo online"
	if got := s.calls(); got != want {
		t.Errorf("alerts:\n%s\nwant:\n%s", got, want)
	}
}

func TestTheSeedsScriptCanBeRetired(t *testing.T) {
	s := beginSeed(t, sandbox.Options{})
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityFull))
	s.systemctl("enable", "--now", "watch-networking.service")
	s.expect("active", "watch-mailbox.service")
	s.install()
	s.status("internet online")
	s.systemctl("disable", "--now", "watch-networking.service")
	s.expect("inactive", "watch-networking.service")
	s.started("watch-mailbox.service", 1)

	s.must(s.Uplink.Unplug(s.ctx))
	s.offline()
	s.expect("inactive", "watch-mailbox.service")
	s.must(s.Uplink.Plug(s.ctx))
	s.online()
	s.started("watch-mailbox.service", 2)
}

func TestTheSeedsScriptCanStay(t *testing.T) {
	s := beginSeed(t, sandbox.Options{})
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityFull))
	s.systemctl("enable", "--now", "watch-networking.service")
	s.expect("active", "watch-mailbox.service")
	s.install()
	s.nmcli("networking", "off") // takes the default route away at once
	s.offline()
	s.alert("routetest internet-offline.target")
	s.expect("inactive", "watch-mailbox.service")
	s.nmcli("networking", "on")
	s.online()
	s.alert("routetest internet-online.target")
	s.settle()
	s.online()
	s.started("watch-mailbox.service", 2)
	s.started("watch-networking.service", 1)
}

func TestABoundServiceCannotFakeTheInternet(t *testing.T) {
	s := beginSeed(t, sandbox.Options{Unplugged: true})
	s.install()
	s.offline()
	// BindsTo= pulls in the target while there is no internet.
	_, _ = s.Systemctl("start", "watch-mailbox.service") // either may win the race
	s.settle()
	s.offline()
	s.expect("inactive", "watch-mailbox.service")
	if log := s.log(); !strings.Contains(log, "something else has started internet-online.target; putting it right") {
		t.Errorf("the log does not name what was put right:\n%s", log)
	}
}

func TestTheSeedsLid(t *testing.T) {
	s := beginSeed(t, sandbox.Options{})
	s.write("screen-off.service", once("lid-closed.target", "/home/gemini/bin/xset dpms force off"))
	s.write("radios-off.service", "[Unit]\nAfter=screen-off.service\n"+once("lid-closed.target", "/home/gemini/bin/rfkill block all"))
	s.write("radios-on.service", once("lid-open.target", "/home/gemini/bin/rfkill unblock all"))
	s.write("screen-on.service", "[Unit]\nAfter=radios-on.service\n"+once("lid-open.target", "/home/gemini/bin/xset dpms force on"))
	s.systemctl("daemon-reload")
	s.systemctl("enable", "screen-off.service", "radios-off.service", "radios-on.service", "screen-on.service")
	s.install()
	s.lid("open")
	s.started("screen-on.service", 1)
	for round := 1; round <= 2; round++ {
		s.must(s.Login1.SetLid(true))
		s.lid("closed")
		s.started("radios-off.service", round)
		s.must(s.Login1.SetLid(false))
		s.lid("open")
		s.started("screen-on.service", round+1)
	}
	opened := "rfkill unblock all\nxset dpms force on\n"
	closed := "xset dpms force off\nrfkill block all\n"
	if want, got := opened+closed+opened+closed+opened, s.calls()+"\n"; got != want {
		t.Errorf("calls:\n%swant:\n%s", got, want)
	}
	s.neverBoth("lid-open.target", "lid-closed.target")
}
