package integration

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// whileUnit returns a unit that runs while a target is active. It follows the README's
// pattern.
func whileUnit(target string) string {
	return strings.ReplaceAll(syncUnit, "internet-online.target", target)
}

// profile adds a profile with a new interface, and brings it up.
func (s *scene) profile(device, name string) {
	s.Helper()
	conn, err := s.SystemBus.Connect(s.ctx)
	s.must(err)
	defer conn.Close()
	type settings = map[string]dbus.Variant
	disabled := settings{"method": dbus.MakeVariant("disabled")}
	const (
		manager = "org.freedesktop.NetworkManager"
		path    = "/org/freedesktop/NetworkManager"
	)
	var added dbus.ObjectPath
	s.must(conn.Object(manager, path+"/Settings").CallWithContext(s.ctx, manager+".Settings.AddConnection", 0, map[string]settings{
		"connection": {
			"id": dbus.MakeVariant(name), "type": dbus.MakeVariant("bridge"), "interface-name": dbus.MakeVariant(device),
			"autoconnect": dbus.MakeVariant(false),
		},
		"bridge": {"stp": dbus.MakeVariant(false)},
		"ipv4":   disabled,
		"ipv6":   disabled,
	}).Store(&added))
	s.must(conn.Object(manager, path).CallWithContext(s.ctx, manager+".ActivateConnection", 0, added, dbus.ObjectPath("/"), dbus.ObjectPath("/")).Err)
}

// targetsOf returns the targets of profiles, by the names that systemd's own tool
// gives them.
func (s *scene) targetsOf(names ...string) []string {
	s.Helper()
	if len(names) == 0 {
		return nil
	}
	out, err := s.Command("systemd-escape", append([]string{"--template=connection@.target", "--"}, names...)...).Output()
	s.must(err)
	return strings.Fields(string(out))
}

// profiles checks that exactly these of all profiles' targets are active.
func (s *scene) profiles(names ...string) {
	s.Helper()
	want := s.targetsOf(names...)
	s.expect("active", want...)
	s.settle()
	slices.Sort(want)
	var active []string
	for _, line := range strings.Split(s.systemctl("list-units", "--plain", "--no-legend", "--state=active", "connection@*.target"), "\n") {
		if target, _, _ := strings.Cut(line, " "); strings.HasPrefix(target, "connection@") {
			active = append(active, target)
		}
	}
	slices.Sort(active)
	if !slices.Equal(active, want) {
		s.Errorf("active are %q, not %q", active, want)
	}
}

func TestAServiceRunsWhileAProfileIsActive(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("home.service", whileUnit(`connection@Home\x20Wifi.target`))
	s.install()
	s.profiles("home")
	s.profile("br0", "Home Wifi")
	s.profiles("home", "Home Wifi")
	s.status(`connection Home\x20Wifi home`)
	s.expect("active", "home.service")
	s.nmcli("connection", "down", "id", "Home Wifi")
	s.expect("inactive", "home.service", `connection@Home\x20Wifi.target`)
	s.profiles("home")
	s.nmcli("connection", "up", "id", "Home Wifi")
	s.expect("active", "home.service")
	s.nmcli("connection", "delete", "id", "Home Wifi")
	s.expect("inactive", "home.service", `connection@Home\x20Wifi.target`)
	s.profiles("home")
	s.started("home.service", 2)
	s.started("connection@home.target", 1)
}

func TestProfilesOfAllKindsOfNames(t *testing.T) {
	const room = 255 - len("connection@.target")
	names := []string{
		"Home Wifi", "a/b//c/", `C:\net`, "it's \"so\"", "Café ☕ 咖啡", ".hidden", "-dash", "a@b:c_d.e", "100%h", "$HOME;#",
		"two\nlines", " ",
	}
	s := begin(t, sandbox.Options{})
	s.install()
	for i, name := range names {
		s.profile(fmt.Sprintf("br%d", i), name)
	}
	for i, name := range []string{strings.Repeat("l", room), strings.Repeat("l", room+1), strings.Repeat("ü", 150)} {
		device := fmt.Sprintf("long%d", i)
		s.profile(device, device) // a new profile's name must also serve as a file name
		s.nmcli("connection", "modify", device, "connection.id", name)
	}
	names = append(names, strings.Repeat("l", room))
	s.profiles(append(names, "home")...)
	s.nmcli(append([]string{"connection", "delete"}, names...)...)
	s.expect("inactive", s.targetsOf(names...)...)
	s.profiles("home")
	s.started("connection@home.target", 1)
	s.started(bridgeUnit, 1)
}

// Some names are words that mean something else as a position.
func TestAProfileThatIsCalledNone(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	before := "home"
	for _, name := range []string{"none", "unknown", "auto"} {
		word := fmt.Sprintf(`\x%02x%s`, name[0], name[1:])
		s.nmcli("connection", "modify", before, "connection.id", name)
		s.profiles(name)
		s.status("connection " + word)
		s.profile("br0", "other")
		s.profiles(name, "other")
		s.nmcli("connection", "delete", "other")
		s.user("nm-session-bridge set connection none")
		s.profiles()
		s.user("nm-session-bridge set connection '" + word + "'")
		s.profiles(name)
		s.user("nm-session-bridge set connection auto")
		s.profiles(name)
		s.systemctl("restart", bridgeUnit)
		s.profiles(name)
		before = name
	}
	s.started("connection@auto.target", 2)
}

func TestAProfileRenamedWhileItIsActive(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("old.service", whileUnit("connection@home.target"))
	s.enable("new.service", whileUnit("connection@new-name.target")) // a / is a - in units' names
	s.install()
	s.expect("active", "old.service")
	s.nmcli("connection", "modify", "home", "connection.id", "new/name")
	s.expect("active", "connection@new-name.target")
	s.profiles("new/name")
	s.expect("active", "new.service")
	s.expect("inactive", "old.service")
	s.nmcli("connection", "modify", "new/name", "connection.id", "home")
	s.profiles("home")
	s.expect("inactive", "new.service")
	s.started("old.service", 2)
	s.started("new.service", 1)
}

func TestTwoProfilesOfOneName(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("twin.service", whileUnit("connection@twin.target"))
	s.install()
	s.profile("br0", "twin")
	s.expect("active", "twin.service")
	s.profile("br1", "twin")
	s.profiles("home", "twin")
	s.nmcli("device", "disconnect", "br0")
	s.nmcli("connection", "modify", "home", "connection.id", "twin") // the third
	s.expect("inactive", "connection@home.target")
	s.nmcli("device", "disconnect", "br1")
	s.profiles("twin")
	s.started("twin.service", 1)
	s.started("connection@twin.target", 1)
}

func TestProfilesOutliveTheBridge(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("home.service", whileUnit("connection@home.target"))
	s.enable("once.service", onceUnit("connection@home.target"))
	s.install()
	s.profile("br0", "Work")
	s.profile("br1", "Café")
	s.profiles("home", "Work", "Café")
	s.systemctl("kill", "-s", "KILL", bridgeUnit)
	s.secondBridge()
	s.profiles("home", "Work", "Café")

	// If a profile ends while no bridge runs, the next bridge stops its target.
	s.systemctl("stop", bridgeUnit)
	s.nmcli("connection", "delete", "id", "Café")
	s.nmcli("connection", "modify", "Work", "connection.id", "Office")
	s.systemctl("start", bridgeUnit)
	s.expect("inactive", "connection@Work.target")
	s.profiles("home", "Office")
	s.started("home.service", 1)
	s.started("once.service", 1)
}

func TestProfilesHoldWhileNetworkManagerRestarts(t *testing.T) {
	s := begin(t, sandbox.Options{})
	targets := []string{"connection@home.target", "network-unmetered.target", "vpn-down.target"}
	s.flags("--gone-grace=1h")
	s.install()
	s.expect("active", targets...)
	// With a slow DHCP server, a starting NetworkManager has no active connection for a long
	// time.
	s.must(s.Uplink.StopDHCP(s.ctx))
	s.must(s.NM.Restart(s.ctx))
	s.status("connection home (in doubt: no profile is active Startup=true)")
	s.status("metered unmetered (in doubt: Metered=Unknown State=Disconnected Startup=true)")
	s.must(s.Uplink.StartDHCP(s.ctx))
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityFull))
	s.status("metered unmetered, vpn down, connection home")
	for _, target := range targets {
		s.started(target, 1)
	}
	s.started("vpn-up.target", 0)
	s.started("network-metered.target", 0)
}

func TestProfilesEndWithNetworkManager(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.flags("--gone-grace=100ms")
	s.install()
	s.profiles("home")
	s.must(s.NM.Kill(s.ctx))
	s.expect("inactive", "connection@home.target", "network-unmetered.target", "vpn-down.target")
	s.must(s.NM.Start(s.ctx))
	s.profiles("home")
	s.started("connection@home.target", 2)
}

func TestAHundredProfiles(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("home.service", whileUnit("connection@home.target"))
	s.install()
	s.profiles("home")
	var names []string
	for i := range 100 {
		// The names are so long that together they exceed a message to the user manager.
		name := fmt.Sprintf("%03d %s", i, strings.Repeat("profile ", 8))
		names = append(names, name)
		s.profile(fmt.Sprintf("br%d", i), name)
	}
	s.profiles(append(names, "home")...)
	s.systemctl("restart", bridgeUnit)
	s.secondBridge()
	s.profiles(append(names, "home")...)
	s.isReadable("nm-session-bridge status")
	s.isReadable("nm-session-bridge history")
	s.isReadable("journalctl --user -t nm-session-bridge -o cat -n 1 SWITCH=connection")
	lines := s.lines("nm-session-bridge", "monitor")
	for line := range lines {
		if strings.Contains(line, "connection") {
			isBrief(t, "monitor", line)
			break
		}
	}
	// There is something to report about every target, but a line must not name them all,
	// and not each may have its own line.
	s.systemctl("import-environment", "PATH")
	s.write(".config/systemd/user/connection@.target.d/mine.conf", "[Unit]\nRefuseManualStop=yes\n")
	for _, want := range []string{"changed on disk", "is overridden by connection@.target.d/mine.conf"} {
		isBrief(t, "doctor", s.finds("", "connection@", want).what)
		s.systemctl("daemon-reload")
	}
	s.must(os.RemoveAll(sandbox.Home + "/.config/systemd/user/connection@.target.d"))
	s.systemctl("daemon-reload")
	s.nmcli(append([]string{"connection", "delete"}, names...)...)
	s.expect("inactive", s.targetsOf(names...)...)
	s.profiles("home")
	s.started("home.service", 1)
}

// isReadable checks that a command of the user prints no line that is too long to read.
func (s *scene) isReadable(command string) {
	s.Helper()
	for line := range strings.Lines(s.user(command)) {
		isBrief(s.T, command, line)
	}
}

func isBrief(t *testing.T, what, line string) {
	t.Helper()
	if len(line) > 700 {
		t.Errorf("%s has a line of %d bytes: %s", what, len(line), line)
	}
}

func TestProfilesHeldByHand(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.enable("away.service", whileUnit(`connection@Far\x20away.target`))
	s.install()
	s.profiles("home")
	s.user(`nm-session-bridge set connection 'Far\x20away home'`)
	s.expect("active", "away.service")
	s.profiles("Far away", "home")
	s.user("nm-session-bridge set connection none")
	s.profiles()
	s.profile("br0", "Work")
	s.profiles()
	s.user("nm-session-bridge set connection auto")
	s.profiles("home", "Work")
	s.fails(2, `nm-session-bridge set connection 'Far away/'`)
	s.profiles("home", "Work")
	s.started("away.service", 1)
}

// The bridge stops a target of the set that something else starts. The profile may never
// have been active, and the unit may not have been loaded before.
func TestATargetOfNoActiveProfileIsPutRight(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.write("puller.service", "[Unit]\nBindsTo=connection@office.target\nAfter=connection@office.target\n[Service]\nExecStart=/bin/sleep infinity\n")
	s.systemctl("daemon-reload")
	s.install()
	s.profiles("home")
	for i := range 2 {
		s.systemctl("start", "puller.service")
		s.waitLog("something else has started connection@office.target; putting it right")
		s.expect("inactive", "connection@office.target", "puller.service")
		s.started("puller.service", i+1)
	}
	s.systemctl("start", "connection@moon.target")
	s.started("connection@moon.target", 1)
	s.expect("inactive", "connection@moon.target")
	s.profiles("home")

	s.user("nm-session-bridge set connection none")
	s.profiles()
	s.systemctl("start", "connection@moon.target", "connection@sun.target")
	s.started("connection@moon.target", 2)
	s.started("connection@sun.target", 1)
	s.expect("inactive", "connection@moon.target", "connection@sun.target")
	s.profiles()

	// A target that is active before the bridge starts was left by an earlier bridge.
	s.user("nm-session-bridge set connection auto")
	s.systemctl("stop", bridgeUnit)
	s.systemctl("start", "connection@mars.target")
	s.systemctl("start", bridgeUnit)
	s.profiles("home")
}

// Container tools make bridges come and go. Only their own targets are damped.
func TestAStormOfBridgesDelaysNoOtherProfile(t *testing.T) {
	const home, bridge = "connection@home.target", "connection@compose0.target"
	s := begin(t, sandbox.Options{Unplugged: true})
	s.install()
	s.offline()
	turns := s.bridgeStorm("compose0")
	s.until("the storm is on", func() bool { return turns() > 10 })
	// follows checks that the target has moved before many more turns.
	follows := func(state string) {
		s.Helper()
		before := turns()
		s.expect(state, home)
		if late := turns() - before; late > 3 {
			t.Errorf("%s is %s only %d turns of the bridge later", home, state, late)
		}
	}
	s.must(s.Uplink.Plug(s.ctx))
	s.until("the cable is used", func() bool {
		out, err := s.NM.Nmcli(s.ctx, "-g", "GENERAL.STATE", "device", "show", sandbox.Interface)
		return err == nil && strings.HasPrefix(out, "100")
	})
	follows("active")
	for range 2 {
		s.nmcli("connection", "down", "home")
		follows("inactive")
		s.nmcli("connection", "up", "home")
		follows("active")
	}
	if starts, ups := s.timeline.Starts(bridge), turns()/2; starts == 0 || starts > ups/2 {
		t.Errorf("%s was started %d times while the bridge came %d times", bridge, starts, ups)
	}
}

// bridgeStorm adds and removes a bridge until the test ends. Each turn ends when
// NetworkManager has the profile, or no longer has it. The returned function counts the
// turns.
func (s *scene) bridgeStorm(device string) (turns func() int) {
	s.Helper()
	conn, err := s.SystemBus.Connect(s.ctx)
	s.must(err)
	var count atomic.Int64
	ctx, cancel := context.WithCancel(s.ctx)
	ended := make(chan struct{})
	s.Cleanup(func() {
		cancel()
		<-ended
		_ = exec.Command("ip", "link", "delete", device).Run() // it may have gone
		_ = conn.Close()
	})
	const name = "org.freedesktop.NetworkManager"
	isListed := func() bool {
		var path dbus.ObjectPath
		err := conn.Object(name, "/org/freedesktop/NetworkManager").CallWithContext(ctx, name+".GetDeviceByIpIface", 0, device).Store(&path)
		if err != nil {
			return false
		}
		active, err := conn.Object(name, path).GetProperty(name + ".Device.ActiveConnection")
		return err == nil && active.Value() != dbus.ObjectPath("/")
	}
	go func() {
		defer close(ended)
		for exists := false; ctx.Err() == nil; count.Add(1) {
			exists = !exists
			words := "link delete " + device
			if exists {
				words = "link add " + device + " up type bridge"
			}
			next := time.After(700 * time.Millisecond)                         // as docker compose was seen to do
			_ = exec.CommandContext(ctx, "ip", strings.Fields(words)...).Run() // it becomes listed, or the test does not continue
			if exists {
				_ = exec.CommandContext(ctx, "ip", "address", "add", "172.18.0.1/16", "dev", device).Run()
			}
			for ctx.Err() == nil && isListed() != exists {
				time.Sleep(20 * time.Millisecond) // several objects would have to be watched
			}
			select {
			case <-next:
			case <-ctx.Done():
			}
		}
	}()
	return func() int { return int(count.Load()) }
}
