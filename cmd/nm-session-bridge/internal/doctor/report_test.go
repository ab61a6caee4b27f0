package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/golden"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// healthy is a machine on which nothing is wrong.
func healthy(t *testing.T) *system {
	t.Helper()
	sys := someone()
	sys.Program = "nm-session-bridge"
	sys.UID = 1000
	sys.lasted = func(string) (seconds, bool) { return 0, false }
	sys.said = func(string) string { return "" }
	sys.machine = machine{
		owned:          []string{"org.freedesktop.NetworkManager", "org.freedesktop.login1", "org.freedesktop.UPower", "org.freedesktop.PolicyKit1"},
		networkManager: answer{properties: bag("Version", "1.52.1", "ConnectivityCheckAvailable", true, "ConnectivityCheckEnabled", true)},
		login1:         answer{properties: bag("InhibitDelayMaxUSec", uint64(5_000_000))},
		lidSignalled:   true,
	}
	sys.user = user{address: "unix:path=/run/user/1000/bus", manager: bag("Version", "257.8-1", "UnitPath", []string{"/home/jo/.config/systemd/user"}), all: map[string]unit{}, bridge: bag()}
	sys.put(systemdctl.ServiceName, "LoadState", "loaded", "ActiveState", "active", "SubState", "running", "UnitFileState", "enabled")
	for _, target := range sys.targets {
		sys.put(target, "LoadState", "loaded", "ActiveState", "inactive",
			"Conflicts", shipped(target, "Conflicts"), "After", shipped(target, "After"), "PartOf", shipped(target, "PartOf"))
	}
	return sys
}

// bag makes properties from alternating names and values.
func bag(pairs ...any) properties {
	all := properties{}
	for pair := range slices.Chunk(pairs, 2) {
		name, _ := pair[0].(string)
		all[name] = dbus.MakeVariant(pair[1])
	}
	return all
}

// put adds a unit, or adds properties to one.
func (sys *system) put(name string, pairs ...any) {
	one := sys.user.unit(name)
	if one.properties == nil {
		one.properties = bag("Id", name)
	}
	for key, value := range bag(pairs...) {
		one.properties[key] = value
	}
	sys.user.all[name] = one
}

// own adds a unit that the user has written.
func (sys *system) own(t *testing.T, name, content string, pairs ...any) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	f := parse(path, content)
	pairs = append(pairs, "LoadState", "loaded", "FragmentPath", path)
	for _, key := range dependencyKeys() {
		pairs = append(pairs, key, f.names("Unit", key))
	}
	sys.put(name, pairs...)
	sys.user.own = append(sys.user.own, name)
	for _, other := range append(files{f}.installs(), f.names("Unit", "After")...) {
		if _, known := sys.user.all[other]; !known {
			sys.put(other, "LoadState", "not-found")
		}
	}
}

// report returns the doctor's report, without the directory of the user's units.
func (sys *system) report() string {
	var written strings.Builder
	sys.examine().Write(&written)
	text := sys.uncounted(written.String())
	for _, name := range sys.user.own {
		text = strings.ReplaceAll(text, filepath.Dir(sys.user.unit(name).text("FragmentPath")), "/home/jo/.config/systemd/user")
	}
	return text
}

// uncounted leaves out how many targets there are.
func (sys *system) uncounted(text string) string {
	return strings.ReplaceAll(text, fmt.Sprintf("%d targets", len(sys.targets)), "N targets")
}

func TestNothingIsWrong(t *testing.T) {
	golden.Check(t, "healthy", healthy(t).report())
}

func TestMuchIsWrong(t *testing.T) {
	sys := healthy(t)
	sys.put(systemdctl.ServiceName, "ActiveState", "inactive", "SubState", "dead")
	sys.put("power-ac.target", "FragmentPath", "/home/jo/.config/systemd/user/power-ac.target", "Conflicts", []string{})
	sys.user.bridge = bag("Vpn", "off", "Overrides", map[string]string{"lid": "closed"})
	sys.own(t, "mail.service", "[Unit]\nAfter=network-online.target\n[Service]\nExecStart=/usr/bin/mail\n[Install]\nWantedBy=network-online.target\n")
	sys.own(t, "tunnel.service", "[Unit]\nBindsTo=vpn-up.target\n[Service]\nExecStart=/usr/bin/tunnel\n[Install]\nWantedBy=vpn-up.target\n", "NeedDaemonReload", true)
	sys.put("vpn-up.target", "Wants", []string{"tunnel.service"})
	sys.put("internet-online.target", "Wants", []string{"backup.service"})
	sys.put("backup.service", "LoadState", "loaded", "ActiveState", "failed", "Result", "exit-code", "ExecMainStatus", int32(1))
	golden.Check(t, "much-is-wrong", sys.report())
}

func TestJSON(t *testing.T) {
	sys := healthy(t)
	sys.own(t, "mail.service", "[Service]\nExecStart=/usr/bin/mail\n[Install]\nWantedBy=internet-online.target\n")
	sys.put("internet-online.target", "Wants", []string{"backup.service"})
	sys.put("backup.service", "LoadState", "loaded", "ActiveState", "failed", "Result", "exit-code", "ExecMainStatus", int32(1))
	sys.machine = machine{problem: "no system bus", cause: os.ErrNotExist, address: "unix:path=/nowhere"}
	var written strings.Builder
	if err := sys.examine().WriteJSON(&written); err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "json", sys.uncounted(written.String()))
}

// A program may loop over the arrays without looking whether they are null.
func TestJSONWithoutFindings(t *testing.T) {
	var written strings.Builder
	if err := healthy(t).examine().WriteJSON(&written); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(written.String(), "null") || !strings.Contains(written.String(), `"findings": []`) {
		t.Errorf("doctor --json without findings prints %s", written.String())
	}
}

// Findings about one unit stand together, and the command that mends them stands once.
func TestFindingsAboutAUnit(t *testing.T) {
	found := grouped([]Finding{
		{What: "one"},
		{Unit: "a.service", What: "two", Mend: run("mend a")},
		{Unit: "b.service", What: "three", Mend: run("mend b")},
		{What: "four"},
		{Unit: "a.service", What: "five", Mend: run("mend a")},
		{Unit: "b.service", What: "six", Mend: run("mend b again")},
	})
	var written strings.Builder
	Report{Findings: found}.Write(&written)
	golden.Check(t, "grouped", written.String())
}

// A drop-in may come from a version whose flags took one dash.
func TestWrongFlagsInADropIn(t *testing.T) {
	sys := healthy(t)
	path := filepath.Join(t.TempDir(), "flags.conf")
	if err := os.WriteFile(path, []byte("[Service]\nExecStart=\nExecStart=/usr/bin/nm-session-bridge run -switches=lid\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var given []string
	sys.Usage = func(args []string) error {
		given = args
		return os.ErrInvalid
	}
	command := []any{"/usr/bin/nm-session-bridge", []string{"/usr/bin/nm-session-bridge", "run", "-switches=lid"}}
	sys.put(systemdctl.ServiceName, "ActiveState", "failed", "Result", "exit-code", "ExecMainStatus", int32(2),
		"ExecStart", [][]any{command}, "FragmentPath", path)
	report := sys.examine()
	if !slices.Equal(given, []string{"run", "-switches=lid"}) || len(report.Findings) != 1 ||
		report.Findings[0].What != "nm-session-bridge.service has failed: wrong flags in "+path ||
		!strings.HasSuffix(report.Findings[0].ByHand, ": invalid argument") {
		t.Errorf("of %q it says %q", given, report.Findings)
	}
}

func TestARefusedDelayLockIsFound(t *testing.T) {
	sys := healthy(t)
	sys.user.bridge = bag("Facts", map[string]string{"sleep.lock": "refused"})
	for _, words := range []string{"logind does not let nm-session-bridge delay sleep", "systemctl --user reload nm-session-bridge.service"} {
		if report := sys.report(); !strings.Contains(report, words) {
			t.Errorf("%q is missing in:\n%s", words, report)
		}
	}
}

// No sandbox has a system manager.
func TestContainersThatWaitedInVain(t *testing.T) {
	for name, test := range map[string]struct {
		result   string
		isWanted bool
		want     int
	}{
		"nothing starts the target":           {"timeout", false, 1},
		"the machine was offline for so long": {"timeout", true, 0},
		"it was stopped":                      {"signal", false, 0},
	} {
		sys := healthy(t)
		sys.isSystemUnit = func(string) bool { return test.isWanted }
		sys.put(podmanWait, "LoadState", "loaded", "ActiveState", "failed", "Result", test.result)
		if found := sys.examine().Findings; len(found) != test.want {
			t.Errorf("%s: %q", name, found)
		}
	}
}

func TestADesktopThatNeverTellsWhetherItIsIdle(t *testing.T) {
	follower := "[Unit]\nAfter=idle.target\nPartOf=idle.target\nRequisite=idle.target\n[Service]\nExecStart=/usr/bin/tidy\n[Install]\nWantedBy=idle.target\n"
	begun := func(since uint64) properties { return bag("Type", "wayland", "IdleSinceHint", since) }
	for name, test := range map[string]struct {
		sessions []properties
		follows  bool
		want     int
	}{
		"nothing sets it":            {[]properties{begun(0)}, true, 1},
		"one of two desktops does":   {[]properties{begun(0), begun(1_700_000_000_000_000)}, true, 0},
		"nobody follows it":          {[]properties{begun(0)}, false, 0},
		"there is no desktop at all": {nil, true, 0},
	} {
		sys := healthy(t)
		sys.machine.sessions = test.sessions
		if test.follows {
			sys.own(t, "tidy.service", follower)
			sys.put("idle.target", "Wants", []string{"tidy.service"})
		}
		if found := sys.idle(); len(found) != test.want {
			t.Errorf("%s: %v", name, found)
		}
	}
}
