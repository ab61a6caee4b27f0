package bridge

import "github.com/nm-session-bridge/nm-session-bridge/observers"

// guard holds back a source's facts while a crash may have caused them. The user manager
// reports the crash first, but on another bus. So the bridge asks it something: when the
// answer arrives, everything that it sent before has been heard.
type guard struct {
	// facts are in the order in which they came, and asked is how many of them came before the
	// question.
	facts      []observers.Facts
	asked      int
	isAnswered bool
}

// Observe handles new facts and moves the switches that are read from them. It may wait
// until [Bridge.Believe].
func (b *Bridge) Observe(facts observers.Facts) Change {
	waiting := b.guards[facts.Source]
	switch {
	case waiting != nil:
		waiting.add(facts)
	case b.mayComeOfACrash(facts.Source):
		b.holdBack(facts)
	default:
		return b.take(facts)
	}
	return Change{}
}

// holdBack keeps facts of a source until the user manager has answered a question.
func (b *Bridge) holdBack(facts ...observers.Facts) {
	g := &guard{facts: facts, asked: len(facts)}
	b.guards[facts[0].Source] = g
	b.crashes.AwaitAnswer(func() { g.isAnswered = true })
}

// add adds facts that came after the question. They replace older ones, unless a session
// has ended: only the older ones hold its last word.
func (g *guard) add(facts observers.Facts) {
	last := len(g.facts) - 1
	if last >= g.asked && !observers.LosesScreen(g.facts[last], facts) {
		g.facts[last] = facts
		return
	}
	g.facts = append(g.facts, facts)
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
		for i, facts := range g.facts {
			if i >= g.asked && b.mayComeOfACrash(source) {
				b.holdBack(g.facts[i:]...)
				break
			}
			change.add(b.take(facts))
		}
	}
	return change
}
