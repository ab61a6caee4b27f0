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
	// Polled observers also read, every [SeldomInterval], what is not signalled
	// and not urgent.
	Polled
	// PolledOften observers also read, every [OftenInterval], what is not
	// signalled and urgent.
	PolledOften
)

const (
	// OftenInterval is how often the lid is read if nothing signals it: seldom
	// enough to cost little, often enough for a lid.
	OftenInterval = 2 * time.Second
	// SeldomInterval is how often the power supply is read if nothing signals it.
	// People who pull a charger to see what happens pay attention for some ten
	// seconds (https://www.nngroup.com/articles/response-times-3-important-limits/).
	// What starts or stops then saves energy over minutes, and everything is read
	// again when a sleeping machine wakes up.
	SeldomInterval = 10 * time.Second
)

// interval is how often an observer reads for a need; zero for never.
func (n Need) interval() time.Duration {
	switch n {
	case Polled:
		return SeldomInterval
	case PolledOften:
		return OftenInterval
	}
	return 0
}

// polling says when to read what is not signalled.
type polling struct {
	ticker   *time.Ticker
	interval time.Duration // of the ticker; zero if it is stopped
	turn     int           // since polling was demanded
	queue    []property    // what is still to be read in this turn
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

// demand begins to poll for a need, or ends it.
func (p *polling) demand(need Need) {
	p.interval, p.turn, p.queue = need.interval(), 0, nil
	p.ticker.Stop()
	if p.interval > 0 {
		p.ticker.Reset(p.interval)
	}
}

// isTurnOf reports whether what is polled for a need is read in this turn.
func (p *polling) isTurnOf(need Need) bool {
	return p.turn%int(need.interval()/p.interval) == 0
}

// poll begins a turn of polling, unless something is being read, or will be
// because that has failed.
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

// takePolled takes a property that is not signalled.
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
