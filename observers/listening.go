package observers

import "slices"

// listening are the match rules that an observer has asked the bus for, beside those
// that hold all the time, and what ends each.
type listening map[string]func()

// to asks for these rules and no others. What is new comes first, so that nothing is
// missed in between.
func (l listening) to(service Hearing, rules []string) {
	for _, rule := range rules {
		if l[rule] == nil {
			l[rule] = service.Listen(rule)
		}
	}
	for rule, stop := range l {
		if !slices.Contains(rules, rule) {
			stop()
			delete(l, rule)
		}
	}
}

// listen makes the bus send what somebody needs now: the signals of a source on demand,
// and those about our objects among the objects of others.
func (o *Observer) listen() {
	var rules []string
	if o.need != Dormant {
		if o.source.OnDemand {
			rules = o.source.rules()
		}
		rules = append(rules, o.filter.rules(o.owner)...)
	}
	o.listening.to(o.service, rules)
}
