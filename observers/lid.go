package observers

import "fmt"

// lid reads the lid switch from the best available source: logind's signal, otherwise
// UPower's, otherwise logind by polling. A machine without a lid counts as open,
// because logind says so.
func lid(policy Policy, snapshot Snapshot) Reading {
	facts, power := snapshot[logind], snapshot[upower]
	closed, known := facts.Bool("LidClosed")
	preparing, _ := facts.Bool("PreparingForSleep")
	switch {
	case facts.Problem != "":
		return Reading{Reason: facts.Problem, Grace: policy.GoneGrace}
	case !known:
		return Reading{Reason: "logind does not report LidClosed", Grace: policy.GoneGrace}
	case facts.Signalled("LidClosed"):
		reading := lidReading("LidClosed", closed, Origin{"from logind", "it signals LidClosed"})
		reading.Urgent = preparing
		return reading
	}
	reading := unsignalledLid(policy, facts, power)
	if preparing {
		// logind acts on the lid before anyone else learns of it, and it has been read
		// again for this sleep.
		now := lidReading("LidClosed", closed, reading.Origin)
		now.Urgent, now.Needs = true, reading.Needs
		return now
	}
	return reading
}

// unsignalledLid reads the lid if logind does not signal it.
func unsignalledLid(policy Policy, facts, power Facts) Reading {
	const unsignalled = "this logind does not signal LidClosed"
	closed, known := power.Bool("LidIsClosed")
	present, _ := power.Bool("LidIsPresent")
	if known && present {
		reading := lidReading("LidIsClosed", closed, Origin{"from UPower", unsignalled})
		reading.Needs = map[string]Need{upower: Watched}
		return reading
	}
	because := power.Problem
	switch {
	case known:
		because = "UPower knows of no lid"
	case power.Awaited || power.Source == "" || because == "":
		return Reading{
			Reason: unsignalled + "; asking UPower", Grace: policy.GoneGrace,
			Needs: map[string]Need{upower: Watched},
		}
	}
	needs := map[string]Need{upower: Watched, logind: PolledOften}
	if !facts.Polled("LidClosed") {
		return Reading{Reason: unsignalled + "; " + because, Grace: policy.GoneGrace, Needs: needs}
	}
	closed, _ = facts.Bool("LidClosed")
	reading := lidReading("LidClosed", closed, Origin{fmt.Sprintf("by polling logind every %v", OftenInterval), unsignalled + " and " + because})
	reading.Needs = needs
	return reading
}

func lidReading(property string, closed bool, origin Origin) Reading {
	reading := Reading{Position: "open", Reason: fmt.Sprintf("%s=%t", property, closed), Origin: origin}
	if closed {
		reading.Position = "closed"
	}
	return reading
}
