package chaos

import (
	"context"
	"strings"
	"time"
)

// crashTime is how long an Unlock may count as part of the locker's crash, with some
// margin.
const crashTime = 4 * time.Second

// locks notes that the lock must be in another position. After a shaky change, the bridge
// may miss the next one or handle it first.
func (w *World) locks(position string, shaky bool) {
	delete(w.round.must, locker)
	if w.round.shaky {
		w.vagueLock()
	}
	// The end of the locker unlocks as well, a little later.
	w.round.shaky = w.round.shaky || shaky || w.lock == "locked"
	if w.lock == "locked" {
		w.pulled("unlock.target")
	}
	if position == "locked" && w.lock != "locked" {
		w.sessions.forget()
		w.sessions.hazy = w.round.vague["lock"]
	}
	w.lock = position
	w.goes()
}

// vagueLock notes that nobody can know what the bridge has heard about the lock.
func (w *World) vagueLock() {
	w.round.vague["lock"] = true
	w.sessions.hazy = true
	w.goes()
}

// pullsLock notes that sleep.target may have started lock.target, and the units of
// lock.target again.
func (w *World) pullsLock() {
	w.pulled("lock.target")
	w.round.moved["lock.target"]++
	w.round.moved["unlock.target"]++
	if len(w.round.positions["lock"]) > 1 || w.masked["lock.target"] || w.masked["sleep.target"] {
		w.vagueLock()
	}
	w.locks("locked", true)
	w.sessions.outdate()
}

// bridgeReborn notes that a new bridge starts, which has heard nothing yet.
func (w *World) bridgeReborn() {
	w.round.reborn, w.logind.unheard = true, false
	w.vagueLock()
	if w.masked["lock.target"] || w.masked["unlock.target"] {
		w.free["lock"] = true // inactive targets do not tell it the position
	}
}

// adoptLock takes over the position of the lock if the model could not predict it.
func (w *World) adoptLock(units map[string]unit) {
	lock, _ := aspectOf("lock.target")
	for _, position := range []string{"locked", "unlocked", unknown} {
		if (w.free["lock"] || w.isVague(lock)) && w.wrongPosition(lock, position, units) == "" {
			w.lock, w.sessions.hazy = position, true
			// The next reading may start a target that the user has stopped by hand.
			w.free["lock"] = position == unknown && len(w.sessions.screens()) > 0
			break
		}
	}
	if w.lock != "locked" {
		w.sessions.forget()
		w.sessions.hazy = false
	}
}

// toldApart returns the session that the argument of a fault means, and the rest of the argument.
func (w *World) toldApart(arg string) (one *session, rest string, err error) {
	rest, isOldest := strings.CutSuffix(arg, "-oldest")
	if isOldest {
		one, err = w.which("oldest")
	} else {
		one, err = w.newestScreen()
	}
	return one, rest, err
}

func askToLock(_ context.Context, w *World, arg string) error {
	one, ask, err := w.toldApart(arg)
	if err != nil {
		return err
	}
	if one.isNew {
		// logind announces a session first, and gives it to whoever has asked for it once the
		// job of its scope is done. Nobody locks it earlier.
		return skipped("nobody has the session yet")
	}
	isLocked := ask == "lock"
	if one.hasScreen && isLocked && (w.lock == "locked" || w.round.vague["lock"]) {
		w.pulled("lock.target") // because it is started again
	}
	if one.hasScreen && isLocked {
		w.sessions.outdate()
	}
	w.says(one, isLocked)
	w.round.must[locker] = one.hasScreen && isLocked
	return w.sb.Login1.AskSessionToLock(one.number, isLocked)
}

func lockFlap(_ context.Context, w *World, arg string) error {
	return w.flap(arg, "the lock flaps", func(ctx context.Context, forth bool) error {
		return askToLock(ctx, w, map[bool]string{true: "lock", false: "unlock"}[forth])
	})
}

func lockedHint(_ context.Context, w *World, arg string) error {
	one, position, err := w.toldApart(arg)
	if err != nil {
		return err
	}
	hint := position == "locked"
	if hint != one.hint {
		one.hint, w.round.hinted = hint, true
		w.says(one, hint)
	}
	return w.sb.Login1.SetSessionsHint(one.number, hint)
}

// lockOther locks a session that is not ours.
func lockOther(_ context.Context, w *World, arg string) error {
	if !w.logind.present {
		return skipped("there is no logind")
	}
	return w.sb.Login1.LockOther("1", arg == "lock")
}

// lockerEnds ends the locker, as a password does. If the locker itself unlocks, a hint
// that says otherwise is outdated. If it ends silently, the session whose hint is set
// decides.
func lockerEnds(ctx context.Context, w *World, _ string) error {
	if w.lock != "locked" || w.round.shaky || w.round.vague["lock"] || w.free["lock"] || w.masked["unlock.target"] {
		return skipped("it may not run")
	}
	units, err := w.look(ctx, locker)
	if err != nil || units[locker].active != "active" {
		return skipped("it does not run")
	}
	ends := []string{"kill", "-s", "TERM", locker}
	if w.silent {
		if w.sessions.isHinted() && w.logind.present && !w.logind.hanging && !w.round.hinted {
			return w.handle(ctx, serviceOf(locker), false, ends...)
		}
		if w.sessions.isHinted() {
			w.vagueLock()
		}
		w.round.silentEnd = true
	}
	w.unsure[locker] = true
	w.round.moved["lock.target"]++
	w.round.moved["unlock.target"]++
	w.locks("unlocked", true)
	return w.ask(ctx, ends...)
}

// lockerCrashes makes the locker crash, which unlocks nothing. To the bridge, an unlock
// just after it is part of the crash.
func lockerCrashes(ctx context.Context, w *World, signal string) error {
	w.crashed, w.round.crashed = time.Now(), true
	return w.handle(ctx, serviceOf(locker), false, "kill", "-s", signal, locker)
}

// lockerUnit makes the user choose another locker.
func lockerUnit(ctx context.Context, w *World, arg string) error {
	w.silent = arg == "silent"
	content := serviceOf(locker).content
	if w.silent {
		content = strings.Replace(content, lockersWord, "", 1)
	}
	if err := w.writeFile(".config/systemd/user/"+locker, content); err != nil {
		return err
	}
	return w.ask(ctx, "daemon-reload")
}
