package doctor

import (
	"context"
	"fmt"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// askSessions asks logind for the user's graphical sessions.
func askSessions(ctx context.Context, conn *dbus.Conn) []properties {
	source := observers.Idleness()
	root := object{conn, source.Name, source.Root.Path}
	user, err := root.all(ctx, source.Root.Interface)
	if err != nil {
		return nil // logind does not know the user
	}
	link := source.Root.Links[0]
	var sessions []properties
	for _, pair := range property[[][]any](user, link.Property) { // names and paths
		path, _ := pair[len(pair)-1].(dbus.ObjectPath)
		one, err := root.at(path).all(ctx, link.Kind.Interface)
		if err == nil && observers.IsGraphical(one.text("Type")) {
			sessions = append(sessions, one)
		}
	}
	return sessions
}

// idle finds units that wait for an idle desktop, if no desktop has ever told logind
// that it became idle or busy.
func (sys *system) idle() []Finding {
	for _, one := range sys.machine.sessions {
		if property[uint64](one, "IdleSinceHint") != 0 {
			return nil
		}
	}
	s, _ := sys.Switches.Named("idle")
	waiting := sys.waiting(s)
	if len(sys.machine.sessions) == 0 || len(waiting) == 0 {
		return nil
	}
	return []Finding{{
		What: fmt.Sprintf("the desktop has not set logind's IdleHint since you logged in, but %s would follow it", few(waiting)),
		Why:  "if you were away from the machine in that time, nothing on this desktop sets it, and busy.target is always active",
		Mend: byHand("run a program that sets it: swayidle with its command idlehint on Wayland, xss-lock on X"),
	}}
}
