package doctor

import (
	"context"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// graphical is active while the user has a graphical session (systemd.special(7)).
const graphical = "graphical-session.target"

// noScreen matches what programs for X and Wayland say when there is no screen. A word such
// as "displays" does not count. The expression is compiled only when doctor runs, because
// the daemon is the same program.
var noScreen = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?im)\b(cannot|can't|could not|couldn't|unable to|failed to)\b.*\b(open|connect|create|get|find)\b.*\b(display|wayland|compositor|x server)([\s:;,"]|$)` +
		`|(?-i:\b(WAYLAND_)?DISPLAY\b).*\b(not|unset|missing|empty)\b`)
})

// lacksScreen reports whether a unit failed for want of a screen.
func (sys *system) lacksScreen(u unit) bool { return noScreen().MatchString(sys.said(u.name)) }

// afterScreen makes a failed unit wait for the graphical session.
func (sys *system) afterScreen(u unit) Mend {
	restart := startAnew(u)
	if !sys.user.unit(graphical).active() {
		return byHand("make your session start " + graphical + " once the user manager has DISPLAY or WAYLAND_DISPLAY, as man 7 systemd.special says; then " + restart)
	}
	waits := slices.Concat(u.texts("PartOf"), u.texts("Requisite"), u.texts("Requires"), u.texts("BindsTo"))
	covers := slices.ContainsFunc(sys.wanters(u.name), func(target string) bool {
		return sys.locks(target) || slices.Contains(sys.momentary(), target) // a locker must not end with the session
	})
	all, err := readAll(u)
	if slices.Contains(waits, graphical) || covers || err != nil || all.haveAlternatives() {
		return byHand("systemctl --user show-environment must name DISPLAY or WAYLAND_DISPLAY when " + u.name + " starts; then " + restart)
	}
	ch := newChange(u, all, sys.placeOf(u, all, startingDropIn))
	// Requisite= would keep the session from ending: it makes the target needed.
	ch.add("Unit", "After="+graphical, "ConditionEnvironment=|DISPLAY", "ConditionEnvironment=|WAYLAND_DISPLAY")
	if !u.isOnce() && len(u.texts("TriggeredBy")) == 0 { // others are for events, not for the beginning of a session
		ch.add("Unit", "PartOf="+graphical)
		ch.add("Install", "WantedBy="+graphical)
		ch.enables = true
	}
	return ch.mend().then(restart)
}

// haveAlternatives reports whether one of several conditions is enough for the unit. A
// further condition would be another alternative.
func (fs files) haveAlternatives() bool {
	return slices.ContainsFunc(fs, func(f file) bool {
		return slices.ContainsFunc(f.settings, func(s setting) bool {
			return strings.HasPrefix(s.key, "Condition") && len(s.names) > 0 && strings.HasPrefix(s.names[0], "|")
		})
	})
}

// lastWords reads from the journal what a unit said last.
func lastWords(ctx context.Context, unit string) string {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "journalctl", "--user", "--quiet", "--boot", "--lines=20", "--output=cat", "--user-unit="+unit).Output()
	if err != nil {
		return "" // without the journal, nothing is known
	}
	return strings.TrimSpace(string(out))
}
