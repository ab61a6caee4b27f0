package bridge

import (
	"testing"
	"time"
)

func TestASleepIsNoticedOnce(t *testing.T) {
	slept := time.Hour // before the bridge was there
	l := &loop{Config: Config{Slept: func() time.Duration { return slept }}}
	l.hasSlept()
	for _, step := range []struct {
		more time.Duration
		want bool
	}{{0, false}, {time.Microsecond, false}, {3 * time.Second, true}, {0, false}, {-time.Microsecond, false}, {time.Minute, true}} {
		slept += step.more
		if got := l.hasSlept(); got != step.want {
			t.Errorf("after %v more: %t", step.more, got)
		}
	}
}
