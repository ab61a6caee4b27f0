package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// NetworkManager checks its connectivity every second meanwhile. The watchdog
// ticks every half minute. So if nothing else ever wakes the bridge, at least
// one of several windows in a row passes without a wake-up.
func TestNothingWakesTheBridgeAtRest(t *testing.T) {
	const window, windows = 10 * time.Second, 5
	s := begin(t, sandbox.Options{})
	system, err := s.SystemBus.Connect(s.ctx)
	s.must(err)
	defer system.Close()
	_, err = fakes.NewUPower(s.ctx, system, false)
	s.must(err)
	s.install()
	s.online()
	process := s.systemctl("show", "--property=MainPID", "--value", "nm-session-bridge.service")
	var woken []int
	for range windows {
		before := s.wakeUps(process)
		time.Sleep(window) // the test measures stillness
		woken = append(woken, s.wakeUps(process)-before)
		if woken[len(woken)-1] == 0 {
			return
		}
	}
	t.Errorf("in windows of %v the bridge was woken %v times", window, woken)
}

// While NetworkManager reaches the internet, what its devices say does not matter.
func TestDevicesOnlyWakeTheBridgeWhereTheyDecide(t *testing.T) {
	s := begin(t, sandbox.Options{Bus: sandbox.DbusDaemon}) // dbus-broker does not tell the rules
	s.install()
	s.online()
	system, err := s.SystemBus.Connect(s.ctx)
	s.must(err)
	defer system.Close()
	hears := func(want bool) {
		s.Helper()
		s.until(fmt.Sprintf("the bridge listens to devices: %t", want), func() bool {
			return strings.Contains(s.rules(system), "arg0='org.freedesktop.NetworkManager.Device'") == want
		})
	}
	hears(false)
	process := s.systemctl("show", "--property=MainPID", "--value", bridgeUnit)
	before := s.wakeUps(process)
	s.chatter()
	// It still wakes up now and then after its start.
	if woken := s.wakeUps(process) - before; woken > changes/2 {
		t.Errorf("%d changes of a device have woken the bridge %d times", changes, woken)
	}
	s.check(sandbox.PortalRedirect)
	s.portal()
	hears(true)
	s.check(sandbox.Full)
	s.online()
	hears(false)
}

// changes is how often a device says that something about it has changed.
const changes = 50

// chatter makes the device of the network say that something about it has changed,
// and returns when all of it was heard.
func (s *scene) chatter() {
	s.Helper()
	const name, device = "org.freedesktop.NetworkManager", "org.freedesktop.NetworkManager.Device"
	bus, err := s.SystemBus.Connect(s.ctx)
	s.must(err)
	defer bus.Close()
	var path dbus.ObjectPath
	s.must(bus.Object(name, "/org/freedesktop/NetworkManager").CallWithContext(s.ctx, name+".GetDeviceByIpIface", 0, sandbox.Interface).Store(&path))
	said := make(chan *dbus.Signal, 256)
	bus.Signal(said)
	s.must(bus.AddMatchSignalContext(s.ctx, dbus.WithMatchObjectPath(path), dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchArg(0, device)))
	for i := range changes {
		s.must(bus.Object(name, path).SetProperty(device+".Autoconnect", i%2 == 1))
		for isHeard := false; !isHeard; {
			select {
			case signal := <-said:
				changed, _ := signal.Body[1].(map[string]dbus.Variant)
				_, isHeard = changed["Autoconnect"]
			case <-s.ctx.Done():
				s.Fatal("the device says nothing")
			}
		}
	}
}

// wakeUps counts how often the threads of a process have been woken.
func (s *scene) wakeUps(process string) int {
	s.Helper()
	threads, err := filepath.Glob("/proc/" + process + "/task/*/status")
	s.must(err)
	all := 0
	for _, thread := range threads {
		content, err := os.ReadFile(thread)
		s.must(err)
		var woken int
		_, line, _ := strings.Cut(string(content), "\nvoluntary_ctxt_switches:")
		_, err = fmt.Sscan(line, &woken)
		s.must(err)
		all += woken
	}
	return all
}

// The daemon is the same program as the commands. What they need is made when they run.
func TestTheDaemonPreparesNothingForCommands(t *testing.T) {
	const most = 2000 // bytes that a package may allocate before main
	cmd := exec.Command(program, "version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	traced := 0
	for line := range strings.Lines(string(out)) {
		// https://pkg.go.dev/runtime#hdr-Environment_Variables
		words := strings.Fields(line)
		if len(words) < 8 || words[0] != "init" {
			continue
		}
		traced++
		bytes, err := strconv.Atoi(words[7])
		if err != nil {
			t.Fatalf("cannot read %q: %v", line, err)
		}
		if bytes > most && strings.HasPrefix(words[1], "github.com/nm-session-bridge/") {
			t.Errorf("%s allocates %d bytes whatever the command is", words[1], bytes)
		}
	}
	if traced == 0 {
		t.Errorf("nothing was traced: %s", out)
	}
}

// largestProgram is how large the stripped program may be, in bytes.
const largestProgram = 6_500_000

func TestTheProgramIsSmall(t *testing.T) {
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() >= largestProgram {
		t.Errorf("the program has %d bytes, not less than %d", info.Size(), largestProgram)
	}
	t.Logf("%d bytes", info.Size())
}
