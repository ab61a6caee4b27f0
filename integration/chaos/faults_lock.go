package chaos

import (
	"context"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// session is the user's session.
type session struct {
	exists, hint bool
}

// locks notes that the lock belongs in another position. After a shaky change the next one may be
// missed or overtaken.
func (w *World) locks(position string, shaky bool) {
	if w.round.shaky {
		w.round.vague["lock"] = true
	}
	// The end of the locker unlocks as well, a little later.
	w.round.shaky = w.round.shaky || shaky || w.lock == "locked"
	if w.lock == "locked" {
		w.pulled("unlock.target")
	}
	w.lock = position
	w.goes()
}

// lockVague notes that nobody can know what the bridge has heard about the lock, and that the
// present state counts again.
func (w *World) lockVague() {
	w.round.vague["lock"] = true
	if w.session.hint {
		w.lock = "locked"
	}
	w.goes()
}

// pullsLock notes that sleep.target may have started lock.target, and again the units that
// lock.target wants.
func (w *World) pullsLock() {
	w.pulled("lock.target")
	w.round.moved["lock.target"]++
	w.round.moved["unlock.target"]++
	if len(w.round.positions["lock"]) > 1 || w.masked["lock.target"] || w.masked["sleep.target"] {
		w.round.vague["lock"] = true
	}
	w.locks("locked", true)
}

// bridgeReborn notes that a new bridge starts, which has heard nothing yet.
func (w *World) bridgeReborn() {
	w.round.reborn = true
	w.lockVague()
	if w.masked["lock.target"] || w.masked["unlock.target"] {
		w.free["lock"] = true // inactive targets do not tell it the position
	}
}

// adoptLock takes over the position of the lock if the model could not predict it.
func (w *World) adoptLock(units map[string]unit) {
	lock, _ := aspectOf("lock.target")
	for _, position := range []string{"locked", "unlocked", unknown} {
		if (w.free["lock"] || w.round.vague["lock"]) && w.wrongPosition(lock, position, units) == "" {
			w.lock = position
			// The next reading may start a target that the user has stopped by hand.
			w.free["lock"] = position == unknown && w.session.exists
			return
		}
	}
}

// aDisplay returns an error if logind cannot say anything about the session.
func (w *World) aDisplay(exists bool) error {
	switch {
	case !w.logind.present:
		return skipped("there is no logind")
	case w.session.exists != exists:
		return skipped("there is no such session")
	}
	return nil
}

func askToLock(_ context.Context, w *World, arg string) error {
	if err := w.aDisplay(true); err != nil {
		return err
	}
	position := map[string]string{"lock": "locked", "unlock": "unlocked"}[arg]
	if position == "locked" && w.lock == "locked" {
		w.pulled("lock.target") // because it is started again
	}
	w.locks(position, false)
	return w.sb.Login1.AskToLock(position == "locked")
}

func lockFlap(_ context.Context, w *World, arg string) error {
	return w.flap(arg, "the lock flaps", func(ctx context.Context, forth bool) error {
		return askToLock(ctx, w, map[bool]string{true: "lock", false: "unlock"}[forth])
	})
}

func lockedHint(_ context.Context, w *World, arg string) error {
	if err := w.aDisplay(true); err != nil {
		return err
	}
	hint := arg == "locked"
	if hint != w.session.hint {
		w.session.hint = hint
		w.locks(arg, false)
	}
	return w.sb.Login1.SetLockedHint(hint)
}

// lockOther locks a session that is not ours.
func lockOther(_ context.Context, w *World, arg string) error {
	if !w.logind.present {
		return skipped("there is no logind")
	}
	return w.sb.Login1.LockOther(arg == "lock")
}

// sessionEnds ends the session, which neither locks nor unlocks.
func sessionEnds(_ context.Context, w *World, _ string) error {
	if err := w.aDisplay(true); err != nil {
		return err
	}
	w.session = session{}
	return w.sb.Login1.SetSession(sandbox.UID, false)
}

func sessionBegins(_ context.Context, w *World, _ string) error {
	if err := w.aDisplay(false); err != nil {
		return err
	}
	w.begins()
	return w.sb.Login1.SetSession(sandbox.UID, true)
}

// sessionChanges replaces the present session with another one.
func sessionChanges(_ context.Context, w *World, _ string) error {
	if err := w.aDisplay(true); err != nil {
		return err
	}
	w.begins()
	if err := w.sb.Login1.SetSession(sandbox.UID, false); err != nil {
		return err
	}
	return w.sb.Login1.SetSession(sandbox.UID, true)
}

// begins notes that another session has begun. It unlocks nothing. A lock of which nothing was known is
// unlocked with it.
func (w *World) begins() {
	w.session = session{exists: true}
	if w.lock == unknown {
		w.locks("unlocked", true)
	}
}

// lockerEnds ends the locker, as a password does. A hint that says otherwise is old.
func lockerEnds(ctx context.Context, w *World, _ string) error {
	if w.lock != "locked" || w.round.shaky || w.round.vague["lock"] || w.free["lock"] || w.masked["unlock.target"] {
		return skipped("it may not run")
	}
	units, err := w.look(ctx, locker)
	if err != nil || units[locker].active != "active" {
		return skipped("it does not run")
	}
	w.unsure[locker] = true
	w.round.moved["lock.target"]++
	w.round.moved["unlock.target"]++
	w.locks("unlocked", true)
	return w.ask(ctx, "kill", "-s", "TERM", locker)
}
