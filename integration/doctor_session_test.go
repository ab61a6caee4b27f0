package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// Units that a desktop starts, and that should also wait for the internet, must start again
// with it, but only on the desktop, and must not keep it from ending.
func TestDoctorKeepsUnitsOnTheirDesktop(t *testing.T) {
	const desktop = "graphical-session.target"
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.online()
	// As the systemd integrations of sway and niri do.
	s.write("sway-session.target", "[Unit]\nBindsTo="+desktop+"\n")
	s.write("niri.service", "[Unit]\nBindsTo="+desktop+"\nBefore="+desktop+"\n[Service]\nExecStart=/bin/sleep infinity\n")
	const network = "[Unit]\nWants=network-online.target\nAfter=network-online.target\n"
	units := map[string]string{
		"part.service":    network + "PartOf=" + desktop + "\nAfter=" + desktop + "\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=" + desktop + "\n",
		"bound.service":   network + "BindsTo=" + desktop + "\nAfter=" + desktop + "\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=" + desktop + "\n",
		"sway.service":    network + "PartOf=sway-session.target\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=sway-session.target\n",
		"follows.service": "[Unit]\nPartOf=internet-online.target sway-session.target\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=sway-session.target\n",
		"niri-chat.service": network + "PartOf=" + desktop + "\n[Service]\nExecStart=/bin/sleep infinity\n" +
			"[Install]\nWantedBy=niri.service\n",
	}
	var onSway, all []string
	for name, content := range units {
		s.enable(name, content)
		all = append(all, name)
		if name != "niri-chat.service" {
			onSway = append(onSway, name)
		}
	}
	found, _ := s.doctor("")
	if len(found) != len(units) {
		t.Fatalf("it finds %q", found)
	}
	for range 2 {
		for _, f := range found {
			s.user(f.mend)
		}
		s.clean("")
	}
	s.expect("inactive", append(all, desktop)...)
	for range 2 {
		s.fresh()
		s.unplug()
		s.plug()
		s.settle()
		s.expect("inactive", append(all, desktop)...) // there is no desktop
		s.systemctl("start", "sway-session.target")
		s.expect("active", onSway...)
		s.expect("inactive", "niri-chat.service")
		s.unplug()
		s.expect("inactive", all...)
		s.plug()
		s.expect("active", onSway...)
		s.settle()
		s.systemctl("stop", "sway-session.target")
		s.expect("inactive", append(all, desktop)...)
		s.systemctl("start", "niri.service")
		s.expect("active", "niri-chat.service")
		s.settle() // systemd does not stop the desktop's target while it starts a unit of the desktop
		s.systemctl("stop", "niri.service")
		s.expect("inactive", append(all, desktop)...)
	}
	// A desktop that starts while offline has the units once it is online.
	s.fresh()
	s.unplug()
	s.systemctl("start", "sway-session.target")
	s.settle()
	s.expect("inactive", onSway...)
	s.plug()
	s.expect("active", onSway...)
}

func TestDoctorOnUnitsOfTheSystemManager(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	for _, dir := range []string{"/etc/systemd/system", "/usr/lib/systemd/system"} {
		s.layOver(dir)
		for target, unit := range map[string]string{"internet-online.target": "mail.service", "sleep.target": "lock.service", "multi-user.target": "web.service"} {
			s.must(os.MkdirAll(dir+"/"+target+".wants", 0o755))
			s.must(os.Symlink("../"+unit, dir+"/"+target+".wants/"+unit))
		}
		f := s.finds("", "mail.service is a unit of the system manager, which has no internet-online.target to start it")
		if !strings.HasPrefix(f.mend, "# by hand: sudo systemctl disable mail.service") {
			t.Errorf("it is mended by %s", f.mend)
		}
		s.must(os.Remove(dir + "/internet-online.target.wants/mail.service"))
	}
}

// A timer that follows a target stands between basic.target and that target. What the target starts
// once, without After=, comes after the one and before the other.
func TestDoctorOnATimerBesideWhatRunsOnce(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.enable("calendar.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n")
	s.enable("calendar.timer", "[Unit]\nAfter=internet-online.target\nPartOf=internet-online.target\nRequisite=internet-online.target\n[Timer]\nOnActiveSec=0\n[Install]\nWantedBy=internet-online.target\n")
	s.enable("fetch.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n[Install]\nWantedBy=internet-online.target\n")
	s.systemctl("start", "calendar.timer")
	s.clean("")
	s.unplug()
	s.plug()
	s.started("fetch.service", 1)
	s.expect("active", "calendar.timer")
	s.clean("")
}
