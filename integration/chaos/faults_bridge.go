package chaos

import (
	"context"
	"time"
)

func bridgeFreeze(ctx context.Context, w *World, arg string) error {
	d, err := time.ParseDuration(arg)
	if err != nil {
		return err
	}
	w.afterwards(d, "the bridge goes on", func(ctx context.Context) error {
		return w.ask(ctx, "kill", "-s", "CONT", bridgeUnit)
	})
	return w.ask(ctx, "kill", "-s", "STOP", bridgeUnit)
}

func bridgeKill(ctx context.Context, w *World, _ string) error {
	w.bridgeReborn()
	return w.ask(ctx, "kill", "-s", "KILL", bridgeUnit)
}

// bridgeAbort ends it as its watchdog or a panic would.
func bridgeAbort(ctx context.Context, w *World, _ string) error {
	w.bridgeReborn()
	return w.ask(ctx, "kill", "-s", "ABRT", bridgeUnit)
}

func bridgeRestart(ctx context.Context, w *World, _ string) error {
	w.bridgeReborn()
	return w.ask(ctx, "restart", "--no-block", bridgeUnit)
}

func bridgeReload(ctx context.Context, w *World, _ string) error {
	return w.ask(ctx, "reload", "--no-block", bridgeUnit)
}

func bridgeUpgrade(ctx context.Context, w *World, _ string) error {
	w.bridgeReborn()
	newer, err := w.newer()
	if err != nil {
		return err
	}
	out, err := w.run(ctx, newer, "install", "--now")
	if err != nil {
		w.note("  the upgrade failed: %s", out) // which may happen while a bus is away
	}
	return nil
}
