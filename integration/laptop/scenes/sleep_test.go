package scenes

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// beforeSleep is a oneshot that takes some seconds and then records how often the
// laptop has slept.
func beforeSleep(seconds int, target, more string) string {
	return "[Unit]\n" + more + `
[Service]
Type=oneshot
ExecStart=/bin/sleep ` + strconv.Itoa(seconds) + `
ExecStart=/bin/sh -c 'cat /sys/power/suspend_stats/success >>%h/%N'
[Install]
WantedBy=` + target + "\n"
}

// closeToSleep closes the lid. It returns when the laptop has slept once more
// and is awake again with its lid open.
func (s *scene) closeToSleep() {
	s.Helper()
	before := s.slept()
	s.touch("closed")
	s.until("the laptop has slept", func() bool { return s.slept() > before })
}

func TestUnitsFinishBeforeTheLaptopSleeps(t *testing.T) {
	s := beginOpen(t)
	// They take four seconds on any machine, and this one is slow.
	s.suspendWithLid("InhibitDelayMaxSec=30\n")
	s.enable(map[string]string{
		"screen-off.service": beforeSleep(2, lidClosed, ""),
		"say-good.service":   beforeSleep(2, sleep, ""),
		"say-night.service":  beforeSleep(2, sleep, "After="+sleep),
		"screen-on.service":  once(lidOpen),
		"radio.service":      once(wake),
	})
	s.install()
	s.lid(lidOpen)
	s.internet(online)
	s.starts(map[string]int{wake: 0}) // not at login
	s.oneLock()

	const cycles = 3
	var finished strings.Builder // what each oneshot should have written
	for cycle := 1; cycle <= cycles; cycle++ {
		fmt.Fprintln(&finished, s.slept())
		s.closeToSleep()
		s.starts(map[string]int{
			lidClosed: cycle, "screen-off.service": cycle,
			sleep: cycle, "say-good.service": cycle, "say-night.service": cycle,
			lidOpen: cycle + 1, "screen-on.service": cycle + 1,
			wake: cycle, "radio.service": cycle,
			online: cycle + 1, offline: cycle,
		})
		s.lid(lidOpen)
		s.internet(online)
		s.only([]string{sleep, wake}, []string{wake})
		s.wrote(finished.String(), "screen-off", "say-good", "say-night")
		if t.Failed() {
			t.FailNow()
		}
		t.Logf("cycle %d is over", cycle)
	}
	s.oneLock()
}

// wrote checks what oneshots before sleep have recorded.
func (s *scene) wrote(want string, units ...string) {
	s.Helper()
	for _, unit := range units {
		written, err := os.ReadFile(s.who.home() + "/" + unit)
		if err != nil || string(written) != want {
			s.Errorf("%s of %s wrote %q (%v), but to finish before each sleep is to write %q", unit, s.who.name, written, err, want)
		}
	}
}

func TestSleepComesThoughAUnitIsUnfinished(t *testing.T) {
	onOneLaptop(t)
	s := beginOpen(t)
	s.suspendWithLid("InhibitDelayMaxSec=15\n") // the unit must have begun by then
	s.enable(map[string]string{
		"endless.service": "[Service]\nType=oneshot\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=" + sleep + "\n",
	})
	s.install()
	s.lid(lidOpen)
	s.oneLock()
	for range 2 { // its lock outlives a sleep that did not wait for it
		s.closeToSleep()
		s.expect("activating", "endless.service")
		s.waitLog("unfinished", "endless.service")
		s.lid(lidOpen)
		s.oneLock()
	}
	s.systemctl("stop", "endless.service")
	s.starts(map[string]int{lidOpen: 3, lidClosed: 2, "endless.service": 1})
}
