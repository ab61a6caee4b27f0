package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// misdeed is a unit of the user's with a mistake.
type misdeed struct {
	name, content string
	enabled       bool
	words         []string // that the doctor says about it
}

func misdeeds() []misdeed {
	const online = "internet-online.target"
	unit := func(unit, service, install string) string {
		return "[Unit]\n" + unit + "[Service]\nExecStart=/bin/sleep infinity\n" + service + "[Install]\n" + install
	}
	wanted := "WantedBy=" + online + "\n"
	bound := "After=" + online + "\nPartOf=" + online + "\nRequisite=" + online + "\n"
	return []misdeed{
		{
			"wait.service", unit("Wants=network-online.target\nAfter=network.target network-online.target nss-lookup.target\n", "", "WantedBy=multi-user.target\n"), true,
			[]string{"multi-user.target in WantedBy=", "network-online.target in After= and Wants=", "network.target in After=", "nss-lookup.target in After= are units of the system manager"},
		},
		{
			"linked.service", unit("# network-online.target\nAfter=\\\n  network-online.target\n", "", wanted), true,
			[]string{"network-online.target in After= is a unit of the system manager"},
		},
		{
			"login.service", unit("", "", "WantedBy=multi-user.target\n"), true,
			[]string{"multi-user.target in WantedBy= is a unit of the system manager"},
		},
		{
			"lock.service", unit("Before=suspend.target\n", "", "WantedBy=suspend.target\n"), true,
			[]string{"suspend.target in Before= and WantedBy= is a unit of the system manager"},
		},
		{
			"typing.service", unit("", "", "WantedBy=internet-on.target\n"), true,
			[]string{"internet-on.target in WantedBy= does not exist, but " + online + " does"},
		},
		{
			"lid.service", "[Unit]\nRequisite=lid-close.target\n[Service]\nType=oneshot\nExecStart=/bin/true\n[Install]\nWantedBy=lid-closed.target\n", true,
			[]string{"lid-close.target in Requisite= does not exist, but lid-closed.target does"},
		},
		{
			"guessed.service", unit("PartOf=online.target\nAfter=online.target\n", "", "WantedBy=online.target\n"), false,
			[]string{"online.target in After=, PartOf= and WantedBy= does not exist, but " + online + " does"},
		},
		{"endless.service", unit("", "", wanted), true, []string{"WantedBy=" + online, "nothing stops it"}},
		{"bare.service", "[Service]\nExecStart=/bin/sleep infinity\n[Install]\n" + wanted, true, []string{"nothing stops it"}},
		{"ticks.timer", "[Timer]\nOnCalendar=daily\nUnit=sync.service\n[Install]\n" + wanted, true, []string{"nothing stops it"}},
		{
			"client.service", unit("BindsTo=sync.service\nAfter=sync.service\n", "", wanted), true,
			[]string{"client.service: " + online + " waits for it, while it waits for sync.service, which waits for the target"},
		},
		{"upheld.service", unit(bound, "", "UpheldBy="+online+"\n"), false, []string{online, "upheld.service: "}}, // systemd 252 does not know the setting
		{"seed.service", unit("BindsTo="+online+"\n", "", wanted), true, []string{"BindsTo=" + online + " pulls in the target"}},
		{"needy.service", unit("Requires="+online+"\nWants="+online+" sync.service\n", "", ""), false, []string{"Requires= and Wants=" + online + " pulls in the target"}},
		{"early.service", unit("PartOf="+online+"\n", "", wanted), true, []string{"PartOf=" + online + " without After=" + online}},
		{"idle.service", unit(bound, "", wanted), false, []string{"WantedBy=" + online, "not enabled"}},
		{"static.service", "[Unit]\n" + bound + "[Service]\nExecStart=/bin/sleep infinity\n", false, []string{"PartOf=" + online, "the target does not want it"}},
		{"after.service", unit("After="+online+"\n", "", "WantedBy=default.target\n"), true, []string{"After=" + online, "the target does not want it"}},
		{"each@one.service", unit("PartOf="+online+"\n", "", wanted), true, []string{"each@one.service: PartOf=" + online + " without After="}},
		{"home.service", unit("", "", "WantedBy=connection@Home\\x20Wifi.target\n"), true, []string{"home.service: WantedBy=connection@Home\\x20Wifi.target", "nothing stops it"}},
		{
			"work.service", unit("After=connection@work.target\nPartOf=connection@work.target\n", "", "WantedBy=connection@work.target\n"), false,
			[]string{"work.service: WantedBy=connection@work.target", "not enabled"},
		},
		// Something other than our targets has started it, which is how the doctor
		// finds it.
		{
			"each@two.service", unit("After=network-online.target\n", "", "WantedBy=default.target\n"), true,
			[]string{"each@two.service: network-online.target in After= is a unit of the system manager"},
		},
	}
}

func TestDoctorOnTheUsersUnits(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.profile("br0", "Home Wifi")
	s.profile("br1", "work")
	s.profiles("home", "Home Wifi", "work")
	s.enable("sync.service", syncUnit)
	s.systemctl("start", "sync.service")
	s.systemctl("import-environment", "PATH")
	s.clean("")
	for _, m := range misdeeds() {
		file := m.name
		if prefix, instance, isInstance := strings.Cut(m.name, "@"); isInstance {
			file = prefix + "@" + instance[strings.Index(instance, "."):]
		}
		s.write(file, m.content)
		if m.enabled {
			s.systemctl("enable", m.name) // this also reloads
		} else {
			s.systemctl("daemon-reload")
		}
		f := s.finds("", append(m.words, m.name)...)
		for range 2 {
			s.user(f.mend)
			s.clean("")
		}
		s.systemctl("disable", "--now", m.name)
		s.user("rm -r .config/systemd/user/" + file + "*")
	}
}

func TestDoctorOnProfiles(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.profile("br0", "Home Wifi")
	s.profile("br1", "Work-5.2 GHz")
	s.profiles("home", "Home Wifi", "Work-5.2 GHz")
	const (
		home = `connection@Home\x20Wifi.target`
		work = `connection@Work\x2d5.2\x20GHz.target`
	)
	s.clean("")
	for _, m := range []struct {
		written, meant string
		words          []string
	}{
		{`connection@Home\x20Wif.target`, home, []string{`no profile is called "Home Wif", but "Home Wifi" is`}},
		{`connection@homewifi.target`, home, []string{`no profile is called "homewifi", but "Home Wifi" is`}},
		{`connection@Home Wifi.target`, home, []string{`units write the profile "Home Wifi" as ` + home}},
		{`"connection@Home Wifi.target"`, home, []string{`units write the profile "Home Wifi" as ` + home}},
		{`connection@Work-5.2 GHz.target`, work, []string{`units write the profile "Work-5.2 GHz" as ` + work}},
		{`connection@Work\x2D5.2\x20GHz.target`, work, []string{`units write the profile "Work-5.2 GHz" as ` + work}},
		{`connection@Work-5.2\x20GHz.target`, work, []string{`units write the profile "Work-5.2 GHz" as ` + work}},
	} {
		s.write("at.service", whileUnit(m.written))
		s.systemctl("daemon-reload")
		if !strings.Contains(m.written, " ") {
			s.systemctl("enable", "at.service")
		}
		f := s.finds("", append(m.words, "at.service: "+strings.Trim(m.written, `"`)+" in After=, PartOf=, Requisite= and WantedBy= of "+sandbox.Home+"/.config/systemd/user/at.service: ")...)
		s.user(f.mend)
		s.clean("")
		if got := s.user("cat .config/systemd/user/at.service"); got != strings.TrimSpace(whileUnit(m.meant)) {
			t.Errorf("%s was mended to\n%s", m.written, got)
		}
		s.expect("active", "at.service") // the profile is active
		s.systemctl("disable", "--now", "at.service")
		s.must(os.Remove(sandbox.Home + "/.config/systemd/user/at.service"))
		s.systemctl("daemon-reload")
	}

	// The doctor has no better name for these.
	s.enable("at.service", whileUnit("connection@moon.target"))
	f := s.finds("", `at.service: connection@moon.target in After=, PartOf=, Requisite= and WantedBy= of `, `no profile is called "moon"`)
	if want := "# by hand: in " + sandbox.Home + "/.config/systemd/user/at.service, write one of " + home + ", " + work + ", connection@home.target; then systemctl --user daemon-reload && systemctl --user enable at.service"; f.mend != want {
		t.Errorf("it is mended by %s, not %s", f.mend, want)
	}
	s.systemctl("disable", "at.service")
	s.write("at.service", onceUnit("connection@moon base.target"))
	s.systemctl("daemon-reload")
	if f := s.finds("", `no profile is called "moon base", which units would write as connection@moon\x20base.target`); f.mend != "" {
		s.user(f.mend) // which fails as long as the file has a name that nothing can be enabled by
	}
	if state := s.systemctl("is-enabled", "at.service"); state != "enabled" {
		t.Errorf("at.service is %s", state)
	}
	s.must(s.NM.Stop(s.ctx))
	if found, _ := s.doctor(""); len(found) != 1 || !strings.Contains(found[0].what, "NetworkManager is not running") {
		t.Errorf("without NetworkManager it finds %q", found)
	}
	s.must(s.NM.Start(s.ctx))
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityFull))
	s.systemctl("disable", "at.service")
	s.must(os.Remove(sandbox.Home + "/.config/systemd/user/at.service"))

	// These names are in no file: one is of an instance, one of a link.
	s.write("each@.service", whileUnit("connection@%i.target"))
	s.systemctl("daemon-reload")
	s.systemctl("enable", `each@Home\x20Wif.service`)
	s.mended(`each@Home\x20Wif.service: connection@Home\x20Wif.target in After=, PartOf=, Requisite= and WantedBy= of ` + sandbox.Home + "/.config/systemd/user/each@.service: ")
	if enabled := s.systemctl("is-enabled", `each@Home\x20Wifi.service`); enabled != "enabled" {
		t.Errorf("the right instance is %s", enabled)
	}
	s.expect("active", `each@Home\x20Wifi.service`) // its profile is active
	s.enable("linked.service", onceUnit("internet-online.target"))
	s.systemctl("add-wants", `connection@hme.target`, "linked.service")
	s.mended(`linked.service: connection@hme.target in WantedBy= of `, `but "home" is`)
	if wants := s.systemctl("show", "--property=Wants", "connection@home.target"); !strings.Contains(wants, "linked.service") {
		t.Errorf("the right target has %s", wants)
	}
	s.user(program + " set internet offline") // which is no condition for it
	s.systemctl("start", "linked.service")
	if result := s.systemctl("show", "--value", "--property=Result", "linked.service"); result != "success" {
		t.Errorf("with its profile active but offline, linked.service ends with %s", result)
	}
}
