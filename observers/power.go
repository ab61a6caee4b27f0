package observers

import "fmt"

// power reads where the machine has its power from: from UPower's signal, and
// where there is no UPower from logind, which is asked again and again.
func power(policy Policy) func(World) Reading {
	return func(world World) Reading {
		facts, manager := world[upower], world[logind]
		needs := map[string]Need{upower: Watched}
		if onBattery, known := facts.Bool("OnBattery"); known {
			reading := powerReading("OnBattery", onBattery, !onBattery, Origin{"from UPower", "it signals OnBattery"})
			reading.Needs = needs
			return reading
		}
		if facts.Awaited || facts.Source == "" || facts.Problem == "" {
			return Reading{Reason: "asking UPower", After: policy.GoneGrace, Needs: needs}
		}
		needs[logind] = Polled
		external, known := manager.Bool("OnExternalPower")
		switch {
		case manager.Problem != "":
			return Reading{Reason: facts.Problem + "; " + manager.Problem, After: policy.GoneGrace, Needs: needs}
		case !known || !manager.Polled("OnExternalPower"):
			return Reading{Reason: facts.Problem + "; asking logind", After: policy.GoneGrace, Needs: needs}
		}
		reading := powerReading("OnExternalPower", external, external,
			Origin{fmt.Sprintf("by polling logind every %v", SeldomInterval), facts.Problem})
		reading.Needs = needs
		return reading
	}
}

func powerReading(property string, value, external bool, origin Origin) Reading {
	reading := Reading{Position: "battery", Reason: fmt.Sprintf("%s=%t", property, value), Origin: origin}
	if external {
		reading.Position = "ac"
	}
	return reading
}
