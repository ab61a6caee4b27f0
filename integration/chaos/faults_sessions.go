package chaos

import (
	"context"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// which returns the oldest of the sessions, or the newest.
func (w *World) which(arg string) (*session, error) {
	all := w.sessions.all
	switch {
	case !w.logind.present:
		return nil, skipped("there is no logind")
	case len(all) == 0:
		return nil, skipped("there is no session")
	case arg == "oldest":
		return all[0], nil
	}
	return all[len(all)-1], nil
}

// newestScreen returns the newest session that has a screen.
func (w *World) newestScreen() (*session, error) {
	screens := w.sessions.screens()
	switch {
	case !w.logind.present:
		return nil, skipped("there is no logind")
	case len(screens) == 0:
		return nil, skipped("there is no session with a screen")
	}
	return screens[len(screens)-1], nil
}

func sessionBegins(_ context.Context, w *World, kind string) error {
	if !w.logind.present || len(w.sessions.all) == mostSessions {
		return skipped("there is no logind, or no room")
	}
	number, err := w.sb.Login1.BeginSession(sandbox.UID, kinds()[kind])
	w.begins(number, kind)
	return err
}

func sessionEnds(_ context.Context, w *World, arg string) error {
	one, err := w.which(arg)
	if err != nil {
		return err
	}
	w.ends(one)
	return w.sb.Login1.EndSession(one.number)
}

// sessionChanges replaces the newest session that has a screen.
func sessionChanges(ctx context.Context, w *World, _ string) error {
	one, err := w.newestScreen()
	if err != nil {
		return err
	}
	w.ends(one)
	if err := w.sb.Login1.EndSession(one.number); err != nil {
		return err
	}
	return sessionBegins(ctx, w, graphical)
}

// sessionTurns makes the newest session that has a screen a graphical one, as a compositor does that is
// started in it.
func sessionTurns(_ context.Context, w *World, _ string) error {
	one, err := w.newestScreen()
	if err != nil {
		return err
	}
	one.isText = false
	w.goes()
	return w.sb.Login1.BecomeGraphical(one.number)
}

// idleHint sets the hint of a session. A text session has none to set.
func idleHint(_ context.Context, w *World, arg string) error {
	one, position, err := w.toldApart(arg)
	if err != nil {
		return err
	}
	isIdle := position == "idle"
	one.idle = isIdle && !one.isText
	w.goes()
	return w.sb.Login1.SetIdleHint(one.number, isIdle)
}
