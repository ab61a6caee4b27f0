package bridge

import (
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// longestReread is how long a switch waits for everything to be read again before it
// enters its position After. A service that hangs must not prevent that.
const longestReread = 5 * time.Second

// Reread notes that everything must be read again, and returns the number of this request.
// The caller passes it to the observers.
func (b *Bridge) Reread() int {
	b.rereads++
	return b.rereads
}

// isReread reports whether every source has been read again.
func (b *Bridge) isReread() bool {
	for source := range b.demanded {
		if b.snapshot[source].Reread < b.rereads {
			return false
		}
	}
	return true
}

// Slept handles a sleep, which logind need not have announced. A switch that is past
// an earlier sleep starts over, so that its targets start again.
func (b *Bridge) Slept() (change Change) {
	for _, s := range b.switches {
		present, known := s.damper.Present()
		if s.After == "" || !known || present == s.During {
			continue
		}
		b.read(s, observers.Unknown)
		change.add(b.move(s))
		s.after = b.now().Add(longestReread)
	}
	return change
}

// EnterAfter moves switches whose operation is over into their positions After, once
// everything has been read again, or once that has taken too long. By then, the facts
// that were read count. areUnitsRead says whether the user manager has answered.
func (b *Bridge) EnterAfter(areUnitsRead bool) (change Change) {
	for _, s := range b.switches {
		present, _ := s.damper.Present()
		switch {
		case s.after.IsZero():
		case present == s.During:
			s.after = time.Time{} // the operation has begun again
		case areUnitsRead && b.isReread(), !b.now().Before(s.after):
			s.after = time.Time{}
			s.damper.Adopt(s.After)
			change.View = true
			if s.heldIn == nil {
				change.add(b.enter(s, s.After, "everything has been read again after "+s.Delays))
			}
		}
	}
	return change
}
