package scenes

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// beforeSleep is a oneshot that takes two seconds and then records how often the
// laptop has slept.
func beforeSleep(target, more string) string {
	return "[Unit]\n" + more + `
[Service]
Type=oneshot
ExecStart=/bin/sleep 2
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
		"screen-off.service": beforeSleep(lidClosed, ""),
		"say-good.service":   beforeSleep(sleep, ""),
		"say-night.service":  beforeSleep(sleep, "After="+sleep),
		"screen-on.service":  once(lidOpen),
	})
	s.install()
	s.lid(lidOpen)
	s.internet(online)
	s.oneLock()

	cycles := 10
	if testing.Short() {
		cycles = 3
	}
	var finished strings.Builder // what each oneshot should have written
	for cycle := 1; cycle <= cycles; cycle++ {
		fmt.Fprintln(&finished, s.slept())
		s.closeToSleep()
		s.starts(map[string]int{
			lidClosed: cycle, "screen-off.service": cycle,
			sleep: cycle, "say-good.service": cycle, "say-night.service": cycle,
			lidOpen: cycle + 1, "screen-on.service": cycle + 1,
			online: cycle + 1, offline: cycle,
		})
		s.lid(lidOpen)
		s.internet(online)
		s.expect("inactive", sleep)
		for _, unit := range []string{"screen-off", "say-good", "say-night"} {
			written, err := os.ReadFile(home + "/" + unit)
			if err != nil || string(written) != finished.String() {
				t.Errorf("%s wrote %q (%v), but to finish before each sleep is to write %q", unit, written, err, finished.String())
			}
		}
		if t.Failed() {
			t.FailNow()
		}
		t.Logf("cycle %d is over", cycle)
	}
	s.oneLock()
}

func TestSleepComesThoughAUnitIsUnfinished(t *testing.T) {
	s := beginOpen(t)
	s.suspendWithLid("")
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
