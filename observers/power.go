package observers

import "fmt"

// power reads where the machine gets its power from: from UPower's signal, or, if
// there is no UPower, from logind by polling.
func power(policy Policy, snapshot Snapshot) Reading {
	facts, manager := snapshot[upower], snapshot[logind]
	needs := map[string]Need{upower: Watched}
	if onBattery, known := facts.Bool("OnBattery"); known {
		reading := powerReading("OnBattery", onBattery, !onBattery, Origin{"from UPower", "it signals OnBattery"})
		reading.Needs = needs
		return reading
	}
	if facts.Awaited || facts.Source == "" || facts.Problem == "" {
		return Reading{Reason: "asking UPower", Grace: policy.GoneGrace, Needs: needs}
	}
	needs[logind] = Polled
	external, known := manager.Bool("OnExternalPower")
	switch {
	case manager.Problem != "":
		return Reading{Reason: facts.Problem + "; " + manager.Problem, Grace: policy.GoneGrace, Needs: needs}
	case !manager.Satisfies(Polled):
		return Reading{Reason: facts.Problem + "; asking logind", Grace: policy.GoneGrace, Needs: needs}
	case !known:
		return Reading{Reason: facts.Problem + "; logind does not report OnExternalPower", Grace: policy.GoneGrace, Needs: needs}
	}
	origin := Origin{"from logind", facts.Problem}
	if manager.Polled("OnExternalPower") {
		origin.Source = fmt.Sprintf("by polling logind every %v", SeldomInterval)
	}
	reading := powerReading("OnExternalPower", external, external, origin)
	reading.Needs = needs
	return reading
}

func powerReading(property string, value, external bool, origin Origin) Reading {
	reading := Reading{Position: "battery", Reason: fmt.Sprintf("%s=%t", property, value), Origin: origin}
	if external {
		reading.Position = "ac"
	}
	return reading
}
