package integration

import (
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

func TestDoctorOnPowerThatIsInDoubt(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.must(s.UPower.Start(s.ctx))
	s.Login1.SetExternalPower(true)
	s.clean("")
	s.Login1.SetExternalPower(false)
	s.finds("", "UPower says that the machine has external power, but logind says that it has none")
	s.must(s.UPower.SetOnBattery(true))
	s.expect("active", "power-battery.target")
	s.clean("")
	s.Login1.SetExternalPower(true)
	f := s.finds("", "UPower says that the machine runs on battery, but logind says that it has external power")
	if !strings.HasPrefix(f.mend, "# by hand: ") {
		t.Errorf("it is mended by %s", f.mend)
	}
	s.must(s.UPower.Stop(s.ctx))
	s.clean("") // nobody contradicts logind
}

// forkingLocker stands in for swaylock.
const forkingLocker = `#!/bin/sh
case " $* " in
*" -f "*) sleep infinity & ;;
*) exec sleep infinity ;;
esac
`

// i3lock goes to the background unless it is told to stay.
const stayingLocker = `#!/bin/sh
case " $* " in
*" -n "*) exec sleep infinity ;;
*) sleep infinity & ;;
esac
`

func TestDoctorOnALockerThatDoesNotWait(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.standIn(map[string]string{"swaylock": forkingLocker, "i3lock": stayingLocker, "hyprlock": stayingProgram, "playerctl": stayingProgram})
	locker := func(target, service string) string {
		unit := "[Unit]\nPartOf=lock.target\n"
		if target == "default.target" {
			unit = ""
		}
		return unit + "[Service]\n" + service + "[Install]\nWantedBy=" + target + "\n"
	}
	for _, test := range []struct {
		target, service, becomes string
		stays                    bool // as it is written
	}{
		{"lock.target", "ExecStart=swaylock -c 000000\n", "swaylock -c 000000 -f", true},
		{"lock.target", "Type=exec\nExecStart=/usr/local/bin/swaylock -f\n", "/usr/local/bin/swaylock -f", false},
		{"sleep.target", "ExecStart=i3lock -n -c 000000\n", "i3lock -c 000000", true},
		{"lock.target", "ExecStart=i3lock\n", "i3lock", false},
		{"sleep.target", "ExecStart=i3lock -enc 000000\n", "i3lock -ec 000000", false},
		{"lock.target", "Type=forking\nExecStart=swaylock -cff0000\n", "swaylock -cff0000 -f", false},
		{"lock.target", "Type=forking\nExecStart=i3lock -c 000000 -n\n", "i3lock -c 000000", false},
		{"lid-closed.target", "ExecStart=env A=b swaylock\n", "env A=b swaylock -f", true},
		// These are right, are not lockers, or cannot do better.
		{"lock.target", "Type=forking\nExecStart=swaylock -f\n", "", false},
		{"lock.target", "Type=notify\nExecStart=swaylock\n", "", false},
		{"lock.target", "ExecStart=playerctl pause\n", "", false},
		{"lock.target", "ExecStart=sh -c 'swaylock -f; true'\n", "", false},
		{"lock.target", "ExecStart=hyprlock\n", "", false},
		{"default.target", "ExecStart=swaylock\n", "", false},
	} {
		s.enable("cover.service", locker(test.target, test.service))
		if test.becomes == "" {
			s.clean("")
		} else {
			if test.stays {
				s.systemctl("start", "cover.service")
			}
			pid := s.systemctl("show", "-P", "MainPID", "cover.service")
			says := []string{"cover.service: Type=", "does not wait until ", " has covered the screen"}
			if strings.HasPrefix(test.service, "Type=forking") {
				says = []string{"cover.service: Type=forking waits for ", " to go to the background, but it does not"}
			}
			f := s.finds("", says...)
			for range 2 {
				s.user(f.mend)
				s.clean("")
			}
			// The screen stays covered, and is covered in time from then on.
			if now := s.systemctl("show", "-P", "MainPID", "cover.service"); test.stays && now != pid {
				t.Errorf("%s: the locker was the process %s and is %s", test.service, pid, now)
			}
			s.systemctl("restart", "cover.service")
			if line := s.systemctl("show", "-P", "ExecStart", "cover.service"); !strings.Contains(line, "argv[]="+test.becomes+" ;") {
				t.Errorf("%s: it runs %s", test.service, line)
			}
			if kind := s.systemctl("show", "-P", "Type", "cover.service"); kind != "forking" {
				t.Errorf("%s: its type is %s", test.service, kind)
			}
			if state := s.systemctl("is-active", "cover.service"); state != "active" {
				t.Errorf("%s: the locker is %s", test.service, state)
			}
		}
		s.systemctl("disable", "cover.service")
		s.systemctl("stop", "cover.service")
		s.user("rm -r .config/systemd/user/cover.service*; systemctl --user daemon-reload")
	}
}
