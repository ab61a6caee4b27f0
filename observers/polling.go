package observers

import (
	"context"
	"time"

	"github.com/godbus/dbus/v5"
)

// Need says how much an observer has to do.
type Need int

const (
	// Dormant observers do nothing. Sources on demand begin so.
	Dormant Need = iota
	// Watched observers read once and believe signals. All other sources begin so.
	Watched
	// Polled observers also read, every [SeldomInterval], the other properties
	// that are not signalled.
	Polled
	// PolledOften observers also read, every [OftenInterval], the urgent
	// properties that are not signalled.
	PolledOften
)

const (
	// OftenInterval is how often the lid is read if nothing signals it. This is
	// rare enough to cost little, and prompt enough for a lid.
	OftenInterval = 2 * time.Second
	// SeldomInterval is how often the power supply is read if nothing signals it.
	// People who pull a charger to see what happens pay attention for some ten
	// seconds
	// (https://www.nngroup.com/articles/response-times-3-important-limits/). The
	// units that start or stop then save energy over minutes, and everything is
	// read again when a sleeping machine wakes up.
	SeldomInterval = 10 * time.Second
)

// interval returns how often an observer polls for a need; zero means never.
func (n Need) interval() time.Duration {
	switch n {
	case Polled:
		return SeldomInterval
	case PolledOften:
		return OftenInterval
	}
	return 0
}

// polling keeps track of when to read the properties that are not signalled.
type polling struct {
	ticker   *time.Ticker
	interval time.Duration // of the ticker; zero if it is stopped
	turn     int           // number of turns since polling was demanded
	queue    []property    // properties still to be read in this turn
}

// property is a property of an object.
type property struct {
	of   *object
	name string
}

func newPolling() polling {
	ticker := time.NewTicker(OftenInterval)
	ticker.Stop()
	return polling{ticker: ticker}
}

// demand begins or stops polling for a need.
func (p *polling) demand(need Need) {
	p.interval, p.turn, p.queue = need.interval(), 0, nil
	p.ticker.Stop()
	if p.interval > 0 {
		p.ticker.Reset(p.interval)
	}
}

// isTurnOf reports whether properties that are polled for a need are read in
// this turn.
func (p *polling) isTurnOf(need Need) bool {
	return p.turn%int(need.interval()/p.interval) == 0
}

// poll begins a turn of polling, unless a reading is under way or is about to
// be tried again.
func (o *Observer) poll(ctx context.Context) {
	o.polling.turn++
	if o.calls.areBusy() || o.calls.areFailing() || o.problem != "" {
		return
	}
	o.polling.queue = nil
	for one := range o.root.all() {
		for _, name := range one.polled(o.satisfied()) {
			if o.polling.isTurnOf(one.kind.PollIfSilent[name]) {
				o.polling.queue = append(o.polling.queue, property{one, name})
			}
		}
	}
	o.ask(ctx)
}

// takePolled handles an answer with a polled property.
func (o *Observer) takePolled(ctx context.Context, polled property, answer *dbus.Call) {
	content, err := single[dbus.Variant](answer)
	var picked news
	if err == nil {
		picked, err = polled.of.kind.pick(map[string]dbus.Variant{polled.name: content})
	}
	if err != nil {
		o.failed(ctx, polled.of, err)
		return
	}
	polled.of.take(picked, answer.ResponseSequence)
	o.ask(ctx)
}
