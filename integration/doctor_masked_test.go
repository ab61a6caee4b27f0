package integration

import (
	"os"
	"regexp"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

func TestDoctorOnMasks(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.giveSudo(nil)
	s.expect("active", "connection@home.target")
	mended := func(name string) {
		t.Helper()
		f := s.finds("", name+" is masked")
		for range 2 {
			s.user(f.mend)
			s.clean("")
		}
	}
	for _, name := range []string{"connection@.target", "connection@home.target", "connection@elsewhere.target"} {
		s.systemctl("mask", name)
		mended(name)
	}
	s.systemctl("mask", "--runtime", "lid-closed.target")
	mended("lid-closed.target")
	s.systemctl("mask", "--now", "--runtime", bridgeUnit)
	mended(bridgeUnit)
	for _, dir := range []string{"/etc/systemd/user", "/run/systemd/user"} { // for all users
		s.must(os.MkdirAll(dir, 0o755))
		s.must(os.Symlink(os.DevNull, dir+"/power-battery.target"))
		s.systemctl("daemon-reload")
		mended("power-battery.target")
	}
	// systemctl unmask leaves such a file.
	s.write("lid-closed.target", "")
	s.systemctl("daemon-reload")
	if f, want := s.finds("", "lid-closed.target is masked"), "# by hand: remove "+sandbox.Home+"/.config/systemd/user/lid-closed.target, which is empty; then systemctl --user daemon-reload"; f.mend != want {
		t.Errorf("it is mended by %s", f.mend)
	}
	s.user("rm .config/systemd/user/lid-closed.target && systemctl --user daemon-reload")
	s.systemctl("mask", "graphical-session.target", "basic.service")
	s.clean("") // they are not ours
}

func TestDoctorOnAMaskedServiceThatIsNotInstalled(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.systemctl("mask", bridgeUnit)
	f := s.finds("", bridgeUnit+" is masked")
	for range 2 {
		s.user(f.mend)
		s.expect("active", bridgeUnit)
	}
}

// The log sends a user to the doctor, whose advice about an instance also helps if the
// template is masked.
func TestTheLogOnAMaskedTemplate(t *testing.T) {
	for _, mask := range []string{"connection@.target", "connection@home.target"} {
		t.Run(mask, func(t *testing.T) {
			s := begin(t, sandbox.Options{})
			s.systemctl("import-environment", "PATH")
			s.systemctl("mask", mask)
			s.install()
			s.waitLog("cannot start connection@home.target")
			remedy := regexp.MustCompile(`cannot start connection@home.target.* next="([^"]*)"`).FindStringSubmatch(s.log())
			if remedy == nil || remedy[1] != "nm-session-bridge doctor" {
				t.Fatalf("the log does not name the doctor: %s", s.log())
			}
			f := s.finds("", mask+" is masked")
			for range 2 {
				s.user(f.mend)
			}
			s.expect("active", "connection@home.target")
		})
	}
}
