package chaos

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
)

// setLid moves the lid. The positions are noted first: the bridge may be quick.
func (w *World) setLid(closed bool) error {
	w.logind.closed = closed
	w.goes()
	return w.sb.Login1.SetLid(closed)
}

func moveLid(_ context.Context, w *World, arg string) error {
	if arg == "same" {
		return w.setLid(w.logind.closed)
	}
	return w.setLid(arg == "closed")
}

func lidFlap(_ context.Context, w *World, arg string) error {
	return w.flap(arg, "the lid flaps", func(context.Context, bool) error { return w.setLid(!w.logind.closed) })
}

func (w *World) prepareForSleep(start bool) error {
	if !w.logind.present || w.logind.hanging {
		return skipped("there is no logind to do it")
	}
	w.logind.asleep, w.logind.unheard, w.logind.slept = start, false, w.logind.slept || start
	w.goes()
	return w.sb.Login1.PrepareForSleep(start)
}

// goToSleep also plays a sleep within another one, which is a sleep of its own: nobody may have heard
// that the first one ended.
func goToSleep(_ context.Context, w *World, _ string) error {
	isWithin := w.logind.asleep || w.logind.unheard
	if isWithin || slices.Contains(w.round.positions["sleep"], "asleep") {
		w.pulled("sleep.target")
	}
	isFirst := len(w.round.positions["sleep"]) == 1 && !w.round.nested
	err := w.prepareForSleep(true)
	if err == nil && isWithin {
		w.pullsLock()
	}
	w.round.nested, w.round.must[locker] = err == nil && isWithin && isFirst, err == nil
	return err
}

// wakeUnheard ends a sleep silently, like a logind that is away meanwhile.
func wakeUnheard(_ context.Context, w *World, _ string) error {
	if !w.logind.present || w.logind.hanging || !w.logind.asleep {
		return skipped("there is no sleep or no logind")
	}
	w.logind.asleep, w.logind.unheard = false, true
	w.goes()
	w.sb.Login1.Wake()
	return nil
}

// wakeUp ends a sleep. If it has just begun, nobody may have seen it: a real logind never ends a
// sleep before the delay lock is released.
func wakeUp(_ context.Context, w *World, _ string) error {
	if w.logind.asleep && len(w.round.positions["sleep"]) > 1 {
		w.vagueLock()
	}
	return w.prepareForSleep(false)
}

func shutDown(_ context.Context, w *World, _ string) error { return w.prepareForShutdown(true) }

func cancelShutdown(_ context.Context, w *World, _ string) error { return w.prepareForShutdown(false) }

func (w *World) prepareForShutdown(start bool) error {
	if !w.logind.present || w.logind.hanging {
		return skipped("there is no logind to do it")
	}
	w.logind.ending = start
	w.goes()
	return w.sb.Login1.PrepareForShutdown(w.logind.ending)
}

func logindGone(_ context.Context, w *World, _ string) error {
	w.logind.present, w.logind.hanging, w.logind.unheard = false, false, false
	for _, one := range w.sessions.all {
		one.hint = false // logind does not save it
	}
	w.vagueLock()
	w.goes()
	return w.sb.Login1.Vanish()
}

func logindBack(ctx context.Context, w *World, _ string) error {
	if !w.busUp {
		return skipped("there is no system bus")
	}
	w.logind.present, w.round.reborn = true, true
	w.vagueLock()
	w.goes()
	return w.sb.Login1.Appear(ctx)
}

func logindRestart(ctx context.Context, w *World, arg string) error {
	d, err := time.ParseDuration(arg)
	if err != nil {
		return err
	}
	w.afterwards(d, "logind is back", func(ctx context.Context) error { return logindBack(ctx, w, "") })
	return logindGone(ctx, w, "")
}

// deaf notes that logind does not answer, or answers nonsense.
func (w *World) deaf() {
	for _, name := range []string{"lid", "sleep", "shutdown", "idle", "power"} {
		w.round.deaf[name]++
	}
	w.vagueLock()
	if w.logind.asleep {
		w.pullsLock() // if a bridge that cannot ask assumes that the machine is awake
	}
}

func logindHangs(_ context.Context, w *World, arg string) error {
	d, err := time.ParseDuration(arg)
	if err != nil {
		return err
	}
	if !w.logind.present || w.logind.hanging {
		return skipped("there is no logind to hang")
	}
	w.deaf()
	w.sb.Login1.Hang()
	w.logind.hanging = true
	w.afterwards(d, "logind goes on", func(context.Context) error {
		w.logind.hanging = false
		w.sb.Login1.GoOn()
		return nil
	})
	return nil
}

// logindLies makes logind report the wrong position of the lid for a time.
func logindLies(_ context.Context, w *World, arg string) error {
	d, err := time.ParseDuration(arg)
	if err != nil {
		return err
	}
	if !w.logind.present || w.logind.hanging {
		return skipped("there is no logind to lie")
	}
	truth := w.logind.closed
	w.logind.closed = !truth
	w.goes()
	w.logind.closed = truth
	w.afterwards(d, "logind tells the truth", func(context.Context) error { return w.setLid(w.logind.closed) })
	w.goes()
	return w.sb.Login1.Lie()
}

// logindGarbles makes logind send nonsense for a time.
func logindGarbles(_ context.Context, w *World, arg string) error {
	d, err := time.ParseDuration(arg)
	if err != nil {
		return err
	}
	w.deaf()
	w.sb.Login1.Garble("LidClosed", true)
	w.afterwards(d, "logind talks sense", func(context.Context) error {
		w.sb.Login1.Garble("LidClosed", false)
		return nil
	})
	if err := w.sb.Login1.Babble(); !errors.Is(err, fakes.ErrVanished) {
		return err
	}
	return nil
}
