package doctor

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/journal"
	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

func someone() *system {
	switches := observers.Table()
	return &system{
		Setting:      Setting{Switches: switches},
		targets:      slices.Sorted(slices.Values(switches.Targets())),
		isSystemUnit: func(name string) bool { return name == "swap.target" || name == "network-online.target" },
	}
}

func TestWhatNamesMean(t *testing.T) {
	for name, want := range map[string]string{
		"network-online.target":  "internet-online.target",
		"online.target":          "internet-online.target",
		"internet-on.target":     "internet-online.target",
		"internet-ofline.target": "internet-offline.target",
		"lid-close.target":       "lid-closed.target",
		"lid-opened.target":      "lid-open.target",
		"slepe.target":           "sleep.target",
		"suspend.target":         "sleep.target",
		"swap.target":            "", // two letters from sleep, but the system manager's own
		"mail.target":            "",
		"internet-online":        "internet-online.target",
		"sleep":                  "sleep.target",
		"lid-open.service":       "",
	} {
		if got := someone().meant(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// Every name that people try must lead to an existing target.
func TestCounterpartsAreTargetsOfOurs(t *testing.T) {
	sys := someone()
	for name, target := range counterparts() {
		if !slices.Contains(sys.targets, target) {
			t.Errorf("%s leads to %s, which no switch has", name, target)
		}
	}
}

func TestUnitFilesAreReadAsSystemdReadsThem(t *testing.T) {
	f := parse("x.service", `# WantedBy=comment.target
[Unit]
After=a.target b.target
After=
After = c.target \
; a comment in between
  d.target

[Install]
WantedBy=one.target
WantedBy=two.target %i.target
`)
	if got := f.names("Unit", "After"); !slices.Equal(got, []string{"c.target", "d.target"}) {
		t.Errorf("After= is %q", got)
	}
	if got := (files{f}).installs(); !slices.Equal(got, []string{"one.target", "two.target"}) {
		t.Errorf("installs are %q", got)
	}
	if (files{f}).name("comment.target") || !(files{f}).name("d.target") {
		t.Error("comments and settings are mixed up")
	}
}

// Editors of other systems leave a mark at the beginning and other ends of lines.
func TestUnitFilesFromOtherSystems(t *testing.T) {
	f := parse("x.service", "\ufeff[Unit]\r\nAfter=a.target \\\r\n  b.target\r\n[Install]\r\nWantedBy=one.target\r\nAlias=x\\\\\r\nWantedBy=two.target\r\n")
	if got := f.names("Unit", "After"); !slices.Equal(got, []string{"a.target", "b.target"}) {
		t.Errorf("After= is %q", got)
	}
	if got := (files{f}).installs(); !slices.Equal(got, []string{"one.target", "two.target"}) {
		t.Errorf("installs are %q", got)
	}
}

// The names of the file and of the units in it have characters that are special
// to a shell or to sed. The second run of a command changes nothing.
func TestEditsAreWhatSedMakesOfThem(t *testing.T) {
	for name, test := range map[string]struct{ before, after, dropIn string }{
		"names": {
			"[Unit]\nAfter=a.target o'clock*[1]/\\x2d$.service\nAfter=axtarget\nWants=a.target\n[Service]\nExecStart=/bin/true\n",
			"[Unit]\nAfter=b.target o'clock*[1]/\\x2d$.service\nPartOf=b.target\nRequisite=b&c.target\nAfter=axtarget\n[Service]\nExecStart=/bin/true\n",
			"[Install]\nWantedBy=b.target\n",
		},
		"lines that end as on Windows": {
			"\ufeff[Unit]\r\nAfter=\ta.target\r\n[Service]\r\n",
			"\ufeff[Unit]\r\nAfter=b.target\r\nPartOf=b.target\r\nRequisite=b&c.target\r\n[Service]\r\n",
			"[Install]\nWantedBy=b.target\n",
		},
		"nothing to rename": {
			"[Unit]\n[Service]\n",
			"[Unit]\n[Service]\n",
			"[Unit]\nPartOf=b.target\nRequisite=b&c.target\n[Install]\nWantedBy=b.target\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path, dropIn := filepath.Join(dir, "it's a unit.service"), filepath.Join(dir, "it's a unit.service.d", dropInName)
			if err := os.WriteFile(path, []byte(test.before), 0o600); err != nil {
				t.Fatal(err)
			}
			ch := newChange(unit{name: "x.service"}, files{parse(path, test.before)}, place{dropIn: dropIn})
			ch.rewrite("Unit", dependencyKeys(), func(key, name string) (string, bool) {
				if name == "a.target" {
					return "b.target", key != "Wants"
				}
				return name, true
			})
			ch.add("Unit", "PartOf=b.target", "Requisite=b&c.target")
			ch.add("Install", "WantedBy=b.target")
			command, applies := strings.CutSuffix(ch.mend().Command, " && systemctl --user daemon-reload")
			if !applies {
				t.Fatal(ch.mend())
			}
			for range 2 {
				if out, err := exec.Command("/bin/sh", "-c", command).CombinedOutput(); err != nil {
					t.Fatalf("%s: %v: %s", command, err, out)
				}
				for path, want := range map[string]string{path: test.after, dropIn: test.dropIn} {
					if got, err := os.ReadFile(path); err != nil || string(got) != want {
						t.Errorf("%s made\n%q, want\n%q (%v)", command, got, want, err)
					}
				}
			}
		})
	}
}

// The names of units may begin with a dash, and have backslashes.
func TestAUnitStaysWithinWhateverStartsIt(t *testing.T) {
	const desktop = `-my\x20desktop.target`
	sys := healthy(t)
	sys.put(desktop, "LoadState", "loaded", "ActiveState", "active")
	sys.put("network-online.target", "LoadState", "not-found")
	sys.own(t, "chat.service", "[Unit]\nWants=network-online.target\nAfter=network-online.target\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy="+desktop+"\n",
		"After", []string{"network-online.target"}, "Wants", []string{"network-online.target"}, "WantedBy", []string{desktop})
	const want = `ExecCondition=systemctl --user --quiet is-active -- -my\\x20desktop.target`
	if report := sys.report(); !strings.Contains(report, want) {
		t.Errorf("there is no %s in\n%s", want, report)
	}
}

// Lines of an earlier command stay.
func TestADropInGrows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.service.d", dropInName)
	command := place{dropIn: path, content: "# mine\n[Unit]\nAfter=a.target\n"}.write(map[string][]string{"Service": {"Type=notify"}})
	if out, err := exec.Command("/bin/sh", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
	const want = "# mine\n[Unit]\nAfter=a.target\n[Service]\nType=notify\n"
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s made %q (%v)", command, got, err)
	}
}

// A file with another name would part from it, and a line that goes on has no pattern.
func TestWhatSedCannotDoIsLeftToAPerson(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.service")
	for name, content := range map[string]string{
		"linked":  "[Unit]\nWants=a.target\n",
		"goes on": "[Unit]\nWants=\\\na.target\n",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if name == "linked" {
			if err := os.Link(path, filepath.Join(dir, "other name")); err != nil {
				t.Fatal(err)
			}
		}
		ch := newChange(unit{name: "x.service"}, files{parse(path, content)}, place{dropIn: path + ".d/x.conf"})
		ch.rewrite("Unit", dependencyKeys(), func(string, string) (string, bool) { return "", false })
		if m := ch.mend(); m.Command != "" || !strings.HasPrefix(m.ByHand, "in "+path+", remove Wants=a.target") {
			t.Errorf("%s: %+v", name, m)
		}
		_ = os.Remove(path)
	}
}

func TestWithoutProfilesThereIsNoneToChoose(t *testing.T) {
	e := unitCheck{system: someone(), unit: unit{name: "x.service"}}
	for profiles, want := range map[string]string{"": "add a profile to NetworkManager, which has none", "home": "write one of connection@home.target;"} {
		e.machine.profiles = strings.Fields(profiles)
		if got := e.chooseProfile(observers.Template{Prefix: "connection@", Suffix: ".target"}, ""); !strings.Contains(got.ByHand, want) {
			t.Errorf("of %q: %s", profiles, got)
		}
	}
}

func TestTheLastStartInTheJournal(t *testing.T) {
	entry := func(id, micros, boot string) string {
		return "__CURSOR=x\n__REALTIME_TIMESTAMP=1\n__MONOTONIC_TIMESTAMP=" + micros + "\n_BOOT_ID=" + boot + "\nMESSAGE_ID=" + id + "\n\n"
	}
	for name, test := range map[string]struct {
		lines string
		took  seconds
		known bool
	}{
		"none":           {"", 0, false},
		"one":            {entry(journal.UnitStarting, "1000000", "a") + entry(journal.UnitStarted, "3500000", "a"), 2.5, true},
		"the last":       {entry(journal.UnitStarting, "1", "a") + entry(journal.UnitStarted, "9000001", "a") + entry(journal.UnitStarting, "10000000", "a") + entry(journal.UnitFailed, "11000000", "a"), 1, true},
		"still running":  {entry(journal.UnitStarting, "1", "a"), 0, false},
		"cut off":        {entry(journal.UnitStarting, "1", "a") + entry(journal.UnitStarted, "5", "b"), 0, false},
		"without a line": {entry(journal.UnitStarted, "5", "b"), 0, false},
		"a binary field": {"X\n\x02\x00\x00\x00\x00\x00\x00\x00\n\n\n" + entry(journal.UnitStarting, "0", "a") + entry(journal.UnitStarted, "1000000", "a"), 1, true},
		"nonsense":       {"nonsense\n\n" + entry(journal.UnitStarting, "0", "a") + entry(journal.UnitStarted, "1000000", "a"), 0, false},
	} {
		if took, known := lastOf([]byte(test.lines)); took != test.took || known != test.known {
			t.Errorf("%s: %v, %v", name, took, known)
		}
	}
}

func TestProgramsThatFoundNoScreen(t *testing.T) {
	for words, want := range map[string]bool{
		"xset:  unable to open display \"\"":                                             true, // xset
		"Error: Can't open display: ":                                                    true, // many for X
		"(waybar:7): Gtk-WARNING **: 10:00:00.000: cannot open display: ":                true, // GTK
		"qt.qpa.xcb: could not connect to display ":                                      true, // Qt
		"2026-11-27 10:00:00 - [main.c:1] Unable to connect to the compositor":           true, // swaylock
		"WAYLAND_DISPLAY is not set":                                                     true,
		"foot: failed to connect to wayland; no compositor running?":                     true,
		"could not connect to mail.example.org, displays the old mail instead":           false,
		"cannot open /etc/fetchmailrc":                                                   false,
		"rclone: failed to create file system: didn't find section in config file":       false,
		"the display manager is running\ncannot open ~/.cache/x":                         false,
		"Failed to get information about the wallpaper display-settings.json: forbidden": false,
	} {
		if got := noScreen().MatchString(words); got != want {
			t.Errorf("%s: %t", words, got)
		}
	}
}

func TestPackagesHaveTheNamesOfTheDistribution(t *testing.T) {
	for release, want := range map[string][2]string{
		"ID=debian\nVERSION_ID=\"12\"\n":          {"sudo apt install network-manager", "sudo apt install network-manager-config-connectivity-debian "},
		"ID=linuxmint\nID_LIKE=\"ubuntu debian\"": {"sudo apt install network-manager", "sudo apt install network-manager-config-connectivity-ubuntu "},
		"ID=fedora\n": {"sudo dnf install NetworkManager", "sudo dnf install NetworkManager-config-connectivity-fedora "},
		"ID=arch\n":   {"sudo pacman -S networkmanager", "printf '[connectivity]"},
	} {
		d := distributionOf(release)
		if got := d.install("network-manager"); got != want[0] {
			t.Errorf("%q: %s", release, got)
		}
		if got := d.connectivity(); !strings.HasPrefix(got, want[1]) || !strings.HasSuffix(got, " && sudo systemctl reload NetworkManager.service") {
			t.Errorf("%q: %s", release, got)
		}
	}
}

// No sandbox can be like this: nothing installed, and no session.
func TestWithNothingThere(t *testing.T) {
	sys := someone()
	sys.machine = machine{problem: "no system bus", cause: os.ErrNotExist, address: "unix:path=/nowhere"}
	sys.user = user{problem: "no session bus", cause: os.ErrNotExist}
	report := sys.examine()
	var written strings.Builder
	report.Write(&written)
	const want = "2 findings; not checked: NetworkManager, links, logind and power (no system bus), " +
		"service, switches, targets, rivals, environment, reload, units, failures, containers, idleness and delay of sleep (no session bus)\n"
	if !strings.HasSuffix(written.String(), "\n\n"+want) {
		t.Errorf("it says %s, not %s", written.String(), want)
	}
	written.Reset()
	if err := report.WriteJSON(&written); err != nil || !strings.Contains(written.String(), `"checked": []`) {
		t.Errorf("for programs it says %s (%v)", written.String(), err)
	}
}

func TestNetworkManagerThatIsNotInstalled(t *testing.T) {
	sys := someone()
	if f := sys.network(); len(f) != 1 || f[0].What != "NetworkManager is not installed" || !strings.HasSuffix(strings.ToLower(f[0].Command), "networkmanager") && !strings.HasSuffix(f[0].Command, "network-manager") {
		t.Errorf("found %q", f)
	}
}

func TestPropertiesOfAnotherTypeAreNone(t *testing.T) {
	p := properties{"A": dbus.MakeVariant(uint32(7))}
	if p.text("A") != "" || p.texts("A") != nil || p.is("B") {
		t.Error("a number was accepted as another type")
	}
}

// starting is a service whose objects do not exist yet when it is first asked.
type starting struct{ asked bool }

func (s *starting) GetAll(string) (map[string]dbus.Variant, *dbus.Error) {
	if !s.asked {
		s.asked = true
		return nil, dbus.NewError("org.freedesktop.DBus.Error.UnknownMethod", []any{"no such object yet"})
	}
	return map[string]dbus.Variant{"Version": dbus.MakeVariant("1.42.4")}, nil
}

func TestAServiceThatStartsIsAskedAgain(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	source, address := observers.NetworkManager(), bustest.Start(t)
	bustest.Provide(t, address, source.Name, bustest.Object{
		Path: source.Root.Path, Interface: "org.freedesktop.DBus.Properties", Value: &starting{},
	})
	conn := bustest.Connect(t, address, dbus.WithContext(ctx))
	got := machine{owned: []string{source.Name}}.ask(ctx, conn, source)
	if got.err != nil || got.text("Version") != "1.42.4" {
		t.Errorf("got %v, %v", got.properties, got.err)
	}
}

// The file says that both targets start the unit, so neither is a condition for the other.
func TestAMisspeltProfileBesideAnotherTarget(t *testing.T) {
	sys := healthy(t)
	sys.machine.knowsProfiles, sys.machine.profiles = true, []string{"home"}
	sys.own(t, "sync.service", "[Service]\nType=oneshot\nExecStart=/usr/bin/sync\n[Install]\nWantedBy=internet-online.target connection@hme.target\n")
	sys.targets = append(sys.targets, "connection@hme.target")
	for _, target := range []string{"internet-online.target", "connection@hme.target"} {
		sys.put(target, "LoadState", "loaded", "Wants", []string{"sync.service"})
	}
	sys.put("sync.service", "Type", "oneshot", "WantedBy", []string{"internet-online.target", "connection@hme.target"})
	found := sys.examine().Findings
	if len(found) != 1 || !strings.Contains(found[0].Command, "WantedBy=connection@home.target") || strings.Contains(found[0].Command, "ExecCondition") {
		t.Errorf("it finds %q", found)
	}
}

// All findings about the delay have one command, which is enough for the slowest unit.
func TestTheDelayIsEnoughForAllUnits(t *testing.T) {
	sys := healthy(t)
	took := map[string]seconds{"brief.service": 1, "slow.service": 20, "slower.service": 90, "late.service": 6}
	sys.lasted = func(unit string) (seconds, bool) { return took[unit], true }
	sys.put("sleep.target", "Wants", []string{"slow.service", "brief.service", "slower.service"})
	sys.put("lid-closed.target", "Wants", []string{"late.service"})
	found := sys.delay()
	if len(found) != 3 {
		t.Fatalf("it finds %q", found)
	}
	for _, f := range found {
		if !strings.Contains(f.Command, `InhibitDelayMaxSec=114\n`) { // 90 s are four fifths of 112.5 s
			t.Errorf("%s is mended by %s", f.Unit, f.Command)
		}
	}
}
