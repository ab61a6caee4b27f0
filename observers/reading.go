package observers

import (
	"time"

	"github.com/godbus/dbus/v5"
)

// Reader says which position a switch is in, given the facts. It may remember
// earlier readings, so it must be called from one goroutine.
type Reader func(Snapshot) Reading

// Follower is a Reader that also gets the present position.
type Follower func(snapshot Snapshot, present Present) Reading

// Present is the state of a switch when it is read.
type Present struct {
	// Position may differ from the last reading, because something else moved the
	// switch. With [Unknown], the facts count as if nothing had been read before.
	Position string
	// Crashed names a service that starts with the position's targets and has just
	// crashed; "" if none has.
	Crashed string
}

// pure turns a function that remembers nothing into a reader.
func pure(read func(Policy, Snapshot) Reading) func(Policy) Reader {
	return func(policy Policy) Reader {
		return func(snapshot Snapshot) Reading { return read(policy, snapshot) }
	}
}

// Reading is what the facts say about a switch at one moment.
type Reading struct {
	// Position is the name of a position, or [Unknown].
	Position string
	// Reason gives the service's raw values by name.
	Reason string
	// Grace is how long the switch keeps its position in spite of the reading. It
	// is zero for a reading that counts at once.
	Grace time.Duration
	// GraceOnlyFrom, if set, names the only position that the grace protects, or is
	// [AnyPosition]. A switch in any other position takes the reading at once.
	GraceOnlyFrom string
	// Gone are words of a set that the grace does not protect once the position no
	// longer has them.
	Gone []string
	// Urgent makes the reading count at once even if the switch is flapping.
	Urgent bool
	// Ignored says in words which new fact does not count, if there is one.
	Ignored string
	// Request is set if something asks for the position instead of reporting it. It
	// increases with each request.
	Request dbus.Sequence
	// Origin says which of several possible sources was read.
	Origin Origin
	// Needs says, by source, what an observer must do so that the switch stays
	// known. It leaves out sources that do so without a demand.
	Needs map[string]Need
}

// Origin is a source that was chosen among several.
type Origin struct {
	// Source says where the switch is read from and how, such as "from UPower".
	// Because says why there is no better source.
	Source, Because string
}

// Bar says which connectivity counts as online.
type Bar string

const (
	// Full requires that NetworkManager's check has reached the internet.
	Full Bar = "full"
	// Limited requires only a network. It is for networks that block the check.
	Limited Bar = "limited"
)

// Policy holds the user's choices about how to read facts.
type Policy struct {
	OnlineWhen Bar
	// LimitedGrace is how long connectivity may be limited before an online switch
	// goes offline.
	LimitedGrace time.Duration
	// GoneGrace is how long switches keep their positions while their service is
	// away.
	GoneGrace time.Duration
}
