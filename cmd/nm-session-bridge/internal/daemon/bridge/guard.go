package bridge

import "github.com/nm-session-bridge/nm-session-bridge/observers"

// guard holds back a source's facts while a crash may have caused them. The user manager
// reports the crash first, but on another bus. So the bridge asks it something: when the
// answer arrives, everything that it sent before has been heard.
type guard struct {
	facts observers.Facts
	// next is what the source has said since the question. Newer facts replace older ones,
	// unless a session has ended between them: only the older ones hold its last word.
	next       []observers.Facts
	isAnswered bool
}

// Observe handles new facts and moves the switches that are read from them. It may wait
// until [Bridge.Believe].
func (b *Bridge) Observe(facts observers.Facts) Change {
	waiting := b.guards[facts.Source]
	switch {
	case waiting != nil:
		waiting.keep(facts)
	case b.mayComeOfACrash(facts.Source):
		g := &guard{facts: facts}
		b.guards[facts.Source] = g
		b.crashes.AwaitAnswer(func() { g.isAnswered = true })
	default:
		return b.take(facts)
	}
	return Change{}
}

// keep keeps facts until the question is answered.
func (g *guard) keep(facts observers.Facts) {
	last := len(g.next) - 1
	if last >= 0 && observers.HaveSameScreens(g.next[last], facts) {
		g.next[last] = facts
		return
	}
	g.next = append(g.next, facts)
}

// mayComeOfACrash reports whether a switch that is read from a source is in its position
// Guarded.
func (b *Bridge) mayComeOfACrash(source string) bool {
	for _, s := range b.switches {
		if present, _ := s.damper.Present(); s.Guarded != "" && present == s.Guarded && s.readsFrom(source) {
			return true
		}
	}
	return false
}

// Believe handles facts that have waited until the user manager has answered.
func (b *Bridge) Believe() (change Change) {
	for source, g := range b.guards {
		if !g.isAnswered {
			continue
		}
		delete(b.guards, source)
		change.add(b.take(g.facts))
		for _, next := range g.next {
			change.add(b.Observe(next))
		}
	}
	return change
}
