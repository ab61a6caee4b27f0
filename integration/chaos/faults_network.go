package chaos

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// stopNM ends NetworkManager, also while it is stopped by SIGSTOP.
func (w *World) stopNM(ctx context.Context, end func(context.Context) error) error {
	w.thawNM()
	return end(ctx)
}

func (w *World) thawNM() {
	w.nmFrozen = false
	_ = w.sb.NM.Signal(syscall.SIGCONT) // it may not run
}

// startNM starts NetworkManager if it is meant to run and there is a bus for it.
func (w *World) startNM(ctx context.Context) error {
	w.round.reborn = true
	if !w.busUp || !w.nmUp {
		return nil
	}
	return w.sb.NM.Start(ctx)
}

func nmStop(ctx context.Context, w *World, _ string) error {
	w.nmUp = false
	return w.stopNM(ctx, w.sb.NM.Stop)
}

func nmStart(ctx context.Context, w *World, _ string) error {
	w.nmUp = true
	return w.startNM(ctx)
}

func nmKill(ctx context.Context, w *World, gap string) error {
	return nmAway(ctx, w, gap, w.sb.NM.Kill)
}

func nmRestart(ctx context.Context, w *World, gap string) error {
	return nmAway(ctx, w, gap, w.sb.NM.Stop)
}

func nmAway(ctx context.Context, w *World, gap string, end func(context.Context) error) error {
	if !w.nmUp {
		return skipped("NetworkManager does not run")
	}
	d, err := time.ParseDuration(gap)
	if err != nil {
		return err
	}
	w.afterwards(d, "NetworkManager starts again", w.startNM)
	return w.stopNM(ctx, end)
}

func nmFreeze(_ context.Context, w *World, arg string) error {
	d, err := time.ParseDuration(arg)
	if err != nil {
		return err
	}
	return w.freezeNM(d)
}

func (w *World) freezeNM(d time.Duration) error {
	if !w.nmUp || !w.busUp || w.nmFrozen {
		return skipped("NetworkManager does not run")
	}
	if err := w.sb.NM.Signal(syscall.SIGSTOP); err != nil {
		return skipped("NetworkManager is between two lives")
	}
	w.nmFrozen = true
	for _, name := range []string{"internet", "uplink", "metered", "vpn", "connection"} {
		w.round.deaf[name]++
	}
	w.afterwards(d, "NetworkManager goes on", func(context.Context) error {
		w.thawNM()
		return nil
	})
	return nil
}

// nmSlowStart stops NetworkManager for a time right after it has acquired its name.
func nmSlowStart(ctx context.Context, w *World, arg string) error {
	d, err := time.ParseDuration(arg)
	if err != nil {
		return err
	}
	if !w.busUp {
		return skipped("there is no system bus")
	}
	w.nmUp, w.round.reborn = true, true
	if err := w.stopNM(ctx, w.sb.NM.Stop); err != nil {
		return err
	}
	if err := w.sb.NM.Start(ctx); err != nil {
		return err
	}
	return w.freezeNM(d)
}

// tellNM calls a method of NetworkManager as root and does not wait for its effect.
func (w *World) tellNM(ctx context.Context, method string, args ...any) error {
	if !w.busUp || !w.nmUp || w.nmFrozen {
		return skipped("NetworkManager does not listen")
	}
	if w.control == nil || !w.control.Connected() {
		var err error
		if w.control, err = w.sb.SystemBus.Connect(ctx); err != nil {
			return err
		}
	}
	w.control.Object(nmName, nmPath).Go(nmName+"."+method, dbus.FlagNoReplyExpected|dbus.FlagNoAutoStart, nil, args...)
	return nil
}

func networkingOff(ctx context.Context, w *World, _ string) error {
	return w.tellNM(ctx, "Enable", false)
}

func networkingOn(ctx context.Context, w *World, _ string) error {
	return w.tellNM(ctx, "Enable", true)
}

// flap does something back and forth, as an argument from drawFlap says.
func (w *World) flap(arg, what string, do func(ctx context.Context, forth bool) error) error {
	var times int
	var rest string
	if _, err := fmt.Sscanf(arg, "%dx%s", &times, &rest); err != nil {
		return fmt.Errorf("cannot read the flapping %q, which should be like 8x50ms: %w", arg, err)
	}
	period, err := time.ParseDuration(rest)
	if err != nil {
		return err
	}
	for i := range times {
		w.afterwards(time.Duration(i)*period, what, func(ctx context.Context) error { return do(ctx, i%2 == 0) })
	}
	return nil
}

func networkingFlap(_ context.Context, w *World, arg string) error {
	return w.flap(arg, "networking flaps", func(ctx context.Context, forth bool) error { return w.tellNM(ctx, "Enable", !forth) })
}

func unplug(ctx context.Context, w *World, _ string) error { return w.sb.Uplink.Unplug(ctx) }

func plug(ctx context.Context, w *World, _ string) error { return w.sb.Uplink.Plug(ctx) }

func plugFlap(_ context.Context, w *World, arg string) error {
	return w.flap(arg, "the cable flaps", func(ctx context.Context, forth bool) error {
		if forth {
			return w.sb.Uplink.Unplug(ctx)
		}
		return w.sb.Uplink.Plug(ctx)
	})
}

func dhcpStop(ctx context.Context, w *World, _ string) error { return w.sb.Uplink.StopDHCP(ctx) }

func dhcpStart(ctx context.Context, w *World, _ string) error { return w.sb.Uplink.StartDHCP(ctx) }

func check(ctx context.Context, w *World, mode string) error {
	if err := w.sb.Check.Set(sandbox.CheckMode(mode)); err != nil {
		return err
	}
	return w.checkNow(ctx)
}

func (w *World) checkNow(ctx context.Context) error {
	if err := w.tellNM(ctx, "CheckConnectivity"); err != nil {
		w.note("  not asked to check: %v", err) // it does so by itself every second
	}
	return nil
}

func checkFlap(_ context.Context, w *World, arg string) error {
	return w.flap(arg, "the portal flaps", func(ctx context.Context, forth bool) error {
		mode := sandbox.Full
		if forth {
			mode = sandbox.PortalBody
		}
		if err := w.sb.Check.Set(mode); err != nil {
			return err
		}
		return w.checkNow(ctx)
	})
}

// networkMended plays a user who does everything to get back on the internet.
func networkMended(ctx context.Context, w *World, _ string) error {
	if err := w.sb.Uplink.StartDHCP(ctx); err != nil {
		return err
	}
	if err := w.sb.Uplink.Plug(ctx); err != nil {
		return err
	}
	if err := w.sb.Check.Set(sandbox.Full); err != nil {
		return err
	}
	if err := nmStart(ctx, w, ""); err != nil {
		return err
	}
	if err := w.tellNM(ctx, "Enable", true); err != nil {
		return err
	}
	return w.nmcli(ctx, "connection", "up", "uuid", sandbox.HomeUUID)
}
