package integration

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// beginWaking brings up a sandbox with units that follow wake.target: one as for
// the fork of systemd-lock-handler that has it, and one that runs until the next sleep.
func beginWaking(t *testing.T, options sandbox.Options) *scene {
	t.Helper()
	s := begin(t, options)
	s.enable("radio.service", "[Unit]\nDescription=Switch the radio on again\nAfter=wake.target\n[Service]\nType=oneshot\nExecStart=/bin/true\n[Install]\nWantedBy=wake.target\n")
	s.enable("up.service", whileUnit("wake.target"))
	s.install()
	s.online()
	s.lid("open")
	s.locks(1)
	return s
}

func TestWakeTargetIsActiveFromWakingUpUntilTheNextSleep(t *testing.T) {
	for _, generation := range []fakes.Generation{fakes.Logind262, fakes.Logind252} {
		t.Run(string(generation), func(t *testing.T) {
			s := beginWaking(t, sandbox.Options{Login1: generation})
			s.expect("inactive", "wake.target", "up.service") // not at login
			for round := 1; round <= 2; round++ {
				s.must(s.Login1.PrepareForSleep(true))
				s.expect("active", "sleep.target")
				s.expect("inactive", "wake.target", "up.service")
				s.locks(0)
				s.must(s.Login1.PrepareForSleep(false))
				s.expect("active", "wake.target", "up.service")
				s.expect("inactive", "sleep.target")
				for _, unit := range []string{"wake.target", "radio.service", "up.service"} {
					s.started(unit, round)
				}
				s.status("sleep woken")
			}
			s.systemctl("restart", bridgeUnit)
			s.status("sleep woken")
			s.must(s.Login1.Vanish())
			s.must(s.Login1.Appear(s.ctx))
			s.locks(1)
			for _, unit := range []string{"wake.target", "radio.service", "up.service"} {
				s.started(unit, 2)
			}
		})
	}
}

func TestEverySleepEndsInWakeTarget(t *testing.T) {
	s := beginWaking(t, sandbox.Options{})
	for round := 1; round <= 3; round++ {
		s.must(s.Login1.PrepareForSleep(true)) // also if nobody announced the last waking
		s.expect("active", "sleep.target")
		s.expect("inactive", "wake.target")
		s.Login1.Wake()
		s.systemctl("reload", bridgeUnit)
		s.expect("active", "wake.target", "up.service")
		for _, unit := range []string{"radio.service", "up.service"} {
			s.started(unit, round)
		}
	}
}

// The jobs that the facts require are requested before wake.target starts, however slow
// they are.
func TestWakeTargetStartsAfterWhatHasChangedMeanwhile(t *testing.T) {
	s := beginWaking(t, sandbox.Options{})
	s.enable("slow.service", "[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=lid-closed.target power-battery.target\n")
	s.enable("look.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'systemctl --user is-active slow.service >~/look; true'\n[Install]\nWantedBy=wake.target\n")
	s.must(s.Login1.PrepareForSleep(true))
	s.expect("active", "sleep.target")
	s.locks(0)
	s.Login1.MoveLidUnseen(true)
	s.must(s.Login1.PrepareForSleep(false))
	s.expect("active", "wake.target") // which does not wait for the oneshot
	s.expect("activating", "slow.service")
	s.expect("inactive", "lid-open.target")
	seen, err := os.ReadFile(sandbox.Home + "/look")
	s.must(err)
	if got := strings.TrimSpace(string(seen)); got != "activating" {
		t.Errorf("what the closed lid starts was %s when wake.target started", got)
	}
}

func TestAServiceThatHangsDoesNotKeepWakeTargetFromStarting(t *testing.T) {
	s := beginWaking(t, sandbox.Options{})
	s.fallAsleep()
	s.must(s.NM.Signal(syscall.SIGSTOP))
	t.Cleanup(func() { s.must(s.NM.Signal(syscall.SIGCONT)) })
	began := time.Now()
	s.must(s.Login1.PrepareForSleep(false))
	s.expect("active", "wake.target")
	if waited := time.Since(began); waited < 4*time.Second {
		t.Errorf("it waited only %v for a service that hangs", waited)
	}
}
