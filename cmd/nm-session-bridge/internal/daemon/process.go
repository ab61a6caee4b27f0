package daemon

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// hangups turns SIGHUP into requests to read everything again.
func hangups(ctx context.Context) <-chan struct{} {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	requests := make(chan struct{})
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-ctx.Done():
				return
			case <-signals:
			}
			select {
			case <-ctx.Done():
				return
			case requests <- struct{}{}:
			}
		}
	}()
	return requests
}

// unwatched is the watchdog interval if there is no watchdog. It is that of our unit.
// The bridge still has to check its file now and then.
const unwatched = time.Minute

// watchdog ticks twice in each watchdog interval, as sd_watchdog_enabled(3) advises.
func watchdog(ctx context.Context) <-chan time.Time {
	interval, err := sd.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		interval = unwatched
	}
	ticker := time.NewTicker(interval / 2)
	context.AfterFunc(ctx, ticker.Stop)
	return ticker.C
}
