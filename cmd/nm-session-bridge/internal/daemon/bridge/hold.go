package bridge

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// Hold keeps a switch in a position until [Bridge.Release], whatever the facts
// say. The error names the accepted positions.
func (b *Bridge) Hold(name, position string) (Change, error) {
	s, err := b.find(name)
	if err != nil {
		return Change{}, err
	}
	position, err = s.Canonical(position)
	if err != nil {
		return Change{}, err
	}
	s.heldIn = &position
	change := Change{View: true}
	b.log.Info("the "+name+" is held "+position+" by hand", "switch", name)
	if !s.known || s.position != position {
		change.add(b.enter(s, position, client.HeldByHand))
	}
	return change, nil
}

// HoldAll holds switches as an earlier bridge did. It leaves out, and logs, the
// switches and positions that this one does not know.
func (b *Bridge) HoldAll(held map[string]string) (change Change) {
	for name, position := range held {
		s, err := b.find(name)
		var hold Change
		if err == nil {
			hold, err = b.Hold(name, position)
		}
		change.add(hold)
		if err != nil {
			b.log.Warn("cannot hold what was held before: " + err.Error())
			continue
		}
		s.damper = s.Damping(b.now) // the active targets reflect the hold, not the facts
	}
	return change
}

// Release lets a switch follow the facts again. Releasing a switch that is not
// held is not an error.
func (b *Bridge) Release(name string) (Change, error) {
	s, err := b.find(name)
	if err != nil {
		return Change{}, err
	}
	if s.heldIn == nil {
		return Change{}, nil
	}
	s.heldIn, s.cause = nil, s.reason
	change := Change{View: true}
	b.log.Info("the "+name+" is no longer held by hand", "switch", name)
	if present, known := s.damper.Present(); known && present != s.position {
		if s.Yields {
			present = observers.Unknown // the hold may have moved the targets since the last reading
		}
		b.read(s, present)
		s.damper.Decide()
		s.damper.Take()
	}
	if position, known := s.damper.Present(); known && position != s.position {
		change.add(b.enter(s, position, s.reason))
	}
	return change, nil
}

// Held returns the positions in which switches are held, by switch.
func (b *Bridge) Held() map[string]string {
	held := map[string]string{}
	for _, s := range b.switches {
		if s.heldIn != nil {
			held[s.Name] = *s.heldIn
		}
	}
	return held
}

func (b *Bridge) find(name string) (*switchState, error) {
	i := slices.IndexFunc(b.switches, func(s *switchState) bool { return s.Name == name })
	_, isOff := observers.Table().Named(name)
	switch {
	case i < 0 && isOff:
		return nil, fmt.Errorf("the switch %s is switched off by --switches=%s of nm-session-bridge.service; switch it on there (systemctl --user edit nm-session-bridge) and restart the service", name, strings.Join(b.names(), ","))
	case i < 0:
		return nil, fmt.Errorf("no switch is called %q; there are %s", name, strings.Join(b.names(), ", "))
	}
	return b.switches[i], nil
}

func (b *Bridge) names() []string {
	var names []string
	for _, s := range b.switches {
		names = append(names, s.Name)
	}
	return names
}
