package observers

import (
	"slices"
	"strings"
)

// noScreens is the reason if the user has no screen.
const noScreens = "the user has no graphical session"

// screensAmong returns the sessions that have a screen.
func screensAmong(sessions []Facts) []Facts {
	return slices.DeleteFunc(slices.Clone(sessions), func(one Facts) bool { return !isScreen(one) })
}

// LosesScreen reports whether a session that has a screen in older facts has none in newer
// ones. Both are facts of the source [Session].
func LosesScreen(older, newer Facts) bool {
	screens := screensAmong(newer.children)
	return slices.ContainsFunc(screensAmong(older.children), func(one Facts) bool {
		return !slices.ContainsFunc(screens, func(other Facts) bool { return other.Path == one.Path })
	})
}

// isScreen reports whether a session has a screen that can be locked: a graphical
// session with or without a seat, or a text session at a seat, but not an SSH
// session (Type, Class, State and Seat in org.freedesktop.login1(5)).
func isScreen(one Facts) bool {
	class, _ := one.Text("Class")
	state, _ := one.Text("State")
	kind, _ := one.Text("Type")
	seat, _ := one.Text("Seat")
	switch {
	case !strings.HasPrefix(class, "user"), state == "closing":
		return false
	case kind == "tty":
		return seat != ""
	}
	return IsGraphical(kind)
}

// IsGraphical reports whether sessions of a Type, as logind names it, are graphical.
func IsGraphical(kind string) bool { return kind == "x11" || kind == "wayland" || kind == "mir" }

// bySession returns what each session says, with the session's name if there are
// several.
func bySession(sessions []Facts, says func(Facts) string) string {
	reasons := make([]string, 0, len(sessions))
	for _, one := range sessions {
		reason := says(one)
		if id, _ := one.Text("Id"); len(sessions) > 1 {
			reason = "session " + legible(id) + ": " + reason
		}
		reasons = append(reasons, reason)
	}
	return strings.Join(reasons, ", ")
}
