package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

func TestDoctorOnWhatIsGone(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	const (
		units   = sandbox.Home + "/.config/systemd/user/"
		link    = units + "vpn-up.target.wants/chat.service"
		missing = "chat.service, which vpn-up.target wants, "
	)
	s.enable("chat.service", whileUnit("vpn-up.target"))
	s.clean("")
	s.must(os.Remove(units + "chat.service"))
	s.systemctl("daemon-reload")
	if f := s.finds("", missing+"does not exist"); f.mend != "# by hand: write its file again, or remove the link "+link+"; then systemctl --user daemon-reload" {
		t.Errorf("it is mended by %s", f.mend)
	}
	s.write(sandbox.Home+"/dotfiles/chat.service", whileUnit("vpn-up.target"))
	s.user("ln -sf ~/dotfiles/chat.service " + link)
	s.systemctl("daemon-reload")
	s.mended(missing + "is no unit: its file " + sandbox.Home + "/dotfiles/chat.service is not in a directory of units")

	s.enable("backup.timer", "[Unit]\nAfter=internet-online.target\nPartOf=internet-online.target\n[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=internet-online.target\n")
	f := s.finds("", "backup.timer: backup.service, which it starts, does not exist")
	then, isByHand := strings.CutPrefix(f.mend, "# by hand: write backup.service, or name another unit with Unit= in backup.timer; then ")
	if !isByHand {
		t.Errorf("it is mended by %s", f.mend)
	}
	s.write("backup.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n")
	for range 2 {
		s.user(then)
		s.clean("")
	}
	s.expect("active", "backup.timer")

	s.enable("beside.service", strings.Replace(whileUnit("vpn-up.target"), "WantedBy=", "WantedBy=multi-user.target ", 1))
	s.mended("beside.service: multi-user.target in WantedBy= is a unit of the system manager")
}

func TestDoctorOnFilesThatNothingReads(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	const above = sandbox.Home + "/.config/systemd/"
	unit := whileUnit("vpn-up.target")
	for _, wrong := range []string{above + "chat.service", above + "system/chat.service", above + "user/chat.services", sandbox.Home + "/.local/share/systemd/chat.service"} {
		s.write(wrong, unit)
		f := s.finds("", wrong)
		if out := s.fails(2, "nm-session-bridge doctor chat"); !strings.Contains(out, "no unit is called chat.service: ") || !strings.Contains(out, wrong) {
			t.Errorf("of chat it says %s", out)
		}
		words, isByHand := strings.CutPrefix(f.mend, "# by hand: move the file to ")
		right, then, _ := strings.Cut(words, "; then ")
		if !isByHand {
			t.Fatalf("it is mended by %s", f.mend)
		}
		s.user("mv " + wrong + " " + right)
		for range 2 {
			s.user(then)
			s.clean("")
		}
		const waits = "chat.service, which waits for vpn to be up (now down)"
		if said := s.user("nm-session-bridge doctor chat"); !strings.HasSuffix(said, waits) {
			t.Errorf("it says %s, not %s", said, waits)
		}
		s.systemctl("disable", "chat.service")
		s.user("rm " + right + " && systemctl --user daemon-reload")
	}
}

func TestDoctorOnLinesThatSystemdIgnores(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	const path = sandbox.Home + "/.config/systemd/user/chat.service"
	unit := whileUnit("vpn-up.target")
	for _, m := range []struct{ right, wrong, words, mend string }{
		{"ExecStart=", "ExexStart=", "chat.service cannot be loaded (bad-setting): systemd ignores ExexStart= under [Service]", "write ExecStart= instead of ExexStart= in line 6"},
		{"[Service]\n", "[Service]\nrestart=always\n", "chat.service: systemd ignores restart= under [Service]", "write Restart= instead of restart= in line 6"},
		{"[Service]\n", "[Service]\nConflicts=x.service\n", "chat.service: systemd ignores Conflicts= under [Service]", "write Conflicts= under [Unit] instead of line 6"},
		{"[Unit]\n", "[Unit]\nWantedBy=default.target\n", "chat.service: systemd ignores WantedBy= under [Unit]", "write WantedBy= under [Install] instead of line 2"},
		{"[Install]\n", "[Install]\nDefaultInstanc=x\n", "chat.service: systemd ignores DefaultInstanc= under [Install]", "write DefaultInstance= instead of DefaultInstanc= in line 8"},
	} {
		s.enable("chat.service", unit)
		s.clean("")
		s.write("chat.service", strings.Replace(unit, m.right, m.wrong, 1))
		s.systemctl("daemon-reload")
		if f := s.finds("", m.words); !strings.HasPrefix(f.mend, "# by hand: in "+path+", "+m.mend+"; then systemctl --user daemon-reload") {
			t.Errorf("%s is mended by %s", m.wrong, f.mend)
		}
	}
	s.write("chat.service", strings.NewReplacer("[Install]", "[install]", "After=", "Colour=red\nX-Mine=1\nAfter=").Replace(unit))
	s.user("rm .config/systemd/user/vpn-up.target.wants/chat.service")
	s.systemctl("daemon-reload")
	s.mended("chat.service: systemd ignores WantedBy=vpn-up.target under [install]")
}

func TestDoctorOnAFileThatTheUserMayNotRead(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.write("secret.service", "[Unit]\nAfter=internet-online.target\nPartOf=internet-online.target\n[Service]\nExecStart=sleep infinity\n[Install]\nWantedBy=internet-online.target\n")
	s.user("chmod 000 .config/systemd/user/secret.service")
	s.systemctl("daemon-reload")
	f := s.finds("", "secret.service cannot be read: permission denied")
	for range 2 {
		s.user(f.mend)
		s.finds("", "secret.service: WantedBy=internet-online.target, but the unit is not enabled")
	}
	s.systemctl("enable", "--now", "secret.service")
	s.write(".config/systemd/user/secret.service.d/nice.conf", "[Service]\nNice=1\n")
	s.user("chmod 000 .config/systemd/user/secret.service.d/nice.conf")
	s.systemctl("daemon-reload")
	found, _ := s.doctor("") // systemd 252 also asks for a reload, again and again
	last := found[len(found)-1]
	if !strings.Contains(last.what, "secret.service.d/nice.conf cannot be read: permission denied") {
		t.Fatalf("it found %q", found)
	}
	for range 2 {
		s.user(last.mend)
		s.clean("")
	}
	s.systemctl("disable", "--now", "secret.service")
	s.user("rm -r .config/systemd/user/secret.service.d")
	s.user("rm .config/systemd/user/secret.service")
	s.write("my secret.service", "[Service]\nExecStart=sleep infinity\n[Install]\nWantedBy=internet-online.target\n")
	s.systemctl("daemon-reload")
	s.finds("", "my secret.service is no unit, because its name has a character that units cannot have")
	if out := s.fails(2, "nm-session-bridge doctor '.config/systemd/user/my secret.service'"); !strings.Contains(out, "because units cannot have that name; my-secret.service would do") {
		t.Errorf("it said: %s", out)
	}
}
