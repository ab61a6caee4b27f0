package observers

import "fmt"

// idle reads the idle switch. The machine is idle while all sessions with a screen are
// idle.
func idle(policy Policy, snapshot Snapshot) Reading {
	facts := snapshot[idleness]
	screens := screensAmong(facts.Children())
	switch {
	case facts.Problem != "":
		return Reading{Reason: facts.Problem, Grace: policy.GoneGrace}
	case len(screens) == 0:
		return Reading{Reason: noScreens}
	}
	reading := Reading{Position: "idle", Reason: bySession(screens, idleReason)}
	for _, one := range screens {
		isIdle, isTold := idleHint(one)
		switch {
		case !isTold:
			return Reading{Reason: "logind does not report IdleHint", Grace: policy.GoneGrace}
		case !isIdle:
			reading.Position = "busy"
		}
	}
	return reading
}

// idleHint returns the IdleHint of a session. A text session counts as busy, because
// logind does not signal its hint: it computes the hint from the terminal whenever it
// is asked (session_get_idle_hint in systemd's src/login/logind-session.c).
func idleHint(one Facts) (isIdle, isTold bool) {
	kind, _ := one.Text("Type")
	isIdle, isTold = one.Bool("IdleHint")
	return isIdle && IsGraphical(kind), isTold
}

func idleReason(one Facts) string {
	if kind, _ := one.Text("Type"); !IsGraphical(kind) {
		return "Type=" + legible(kind)
	}
	isIdle, _ := idleHint(one)
	return fmt.Sprintf("IdleHint=%t", isIdle)
}
