package scenes

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	sleepConfig = "/run/systemd/sleep.conf.d/scene.conf"
	// hibernationTime is for how long this laptop hibernates at least, by its clock
	// (lab/resume.go).
	hibernationTime = 23 * time.Hour
)

// hibernatable gives the laptop a disk to hibernate to.
func (s *scene) hibernatable() {
	s.Helper()
	s.root("mkswap /dev/vdb && swapon /dev/vdb")
	s.afterwards("swapoff /dev/vdb")
	s.must(os.MkdirAll(filepath.Dir(sleepConfig), 0o755))
	// A minute is long enough for falling asleep.
	s.must(os.WriteFile(sleepConfig, []byte("[Sleep]\nHibernateDelaySec=60\n"), 0o644))
	s.afterwards("rm " + sleepConfig)
	// The smaller the image of the memory, the sooner it is written.
	s.must(os.WriteFile("/sys/power/image_size", []byte("0"), 0))
}

// doneAt is a oneshot that takes two seconds and then writes the time.
func doneAt(target string) string {
	return "[Service]\nType=oneshot\nExecStart=/bin/sleep 2\nExecStart=/bin/sh -c 'date +%%s >>%h/%N'\n[Install]\nWantedBy=" + target + "\n"
}

// doneTimes returns when a unit of doneAt was done each time.
func (s *scene) doneTimes(unit string) []time.Time {
	s.Helper()
	content, err := os.ReadFile(s.who.home() + "/" + unit)
	s.must(err)
	var times []time.Time
	for _, field := range strings.Fields(string(content)) {
		seconds, err := strconv.ParseInt(field, 10, 64)
		s.must(err)
		times = append(times, time.Unix(seconds, 0))
	}
	return times
}

// asleep returns for how long the laptop has slept since it was booted.
func (s *scene) asleep() time.Duration {
	s.Helper()
	var boot, monotonic unix.Timespec
	s.must(unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot))
	s.must(unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic))
	return time.Duration(boot.Nano() - monotonic.Nano())
}

// hibernate returns when somebody has switched the laptop on again.
func (s *scene) hibernate(how string) {
	s.Helper()
	before := s.asleep()
	s.must(setPort(wishPort, wakesItself)) // for the sleep before, if there is one
	s.root("systemctl " + how)
	s.until("the laptop has hibernated", func() bool { return s.asleep() > before+hibernationTime })
}

func TestHibernation(t *testing.T) {
	s := beginOpen(t)
	s.suspendWithLid("InhibitDelayMaxSec=30\n")
	s.hibernatable()
	s.plugAfterwards()
	s.enable(map[string]string{"say-good.service": doneAt(sleep), "unlocked.service": once(unlocked)})
	s.install()
	s.lid(lidOpen)
	s.internet(online)
	session := s.enter("seat", atTheSeat("tty7")...)
	s.lock(unlocked)
	boot := s.root("cat /proc/sys/kernel/random/boot_id")
	for i, how := range []string{"hibernate", "suspend-then-hibernate"} {
		s.pull(true) // the keeper plugs it back in while the laptop is off
		s.power(onBattery)
		s.oneLock()
		began := time.Now().Round(0)
		slept := s.slept()
		s.hibernate(how)
		passed := time.Now().Round(0).Sub(began)
		t.Logf("%s: %v have passed, and the laptop has slept for %v since its boot", how, passed, s.asleep())
		if passed < hibernationTime {
			t.Errorf("%s: only %v have passed", how, passed)
		}
		if now := s.root("cat /proc/sys/kernel/random/boot_id"); now != boot {
			t.Fatalf("%s: the laptop was booted anew", how)
		}
		if got := s.slept() - slept; got != i {
			t.Errorf("%s: the laptop slept %d times before", how, got)
		}
		s.power(onAC)
		s.lid(lidOpen)
		s.internet(online)
		s.lock(unlocked)
		s.expect("inactive", sleep)
		s.starts(map[string]int{
			sleep: i + 1, wake: i + 1, "say-good.service": i + 1, locked: i + 1, unlocked: i + 2, "unlocked.service": i + 2,
			onBattery: i + 1, onAC: i + 2, lidOpen: 1, lidClosed: 0, bridgeUnit: 1,
		})
		done := s.doneTimes("say-good")
		if len(done) != i+1 || done[i].Sub(began) > hibernationTime/2 {
			t.Errorf("%s at %v: say-good was done at %v, not before", how, began, done)
		}
		s.oneLock()
	}
	s.root("loginctl lock-session " + session)
	s.lock(locked)
}
