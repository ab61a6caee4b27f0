package observers

// vpn returns a reader of whether a VPN of NetworkManager is up.
func vpn(policy Policy) Reader {
	past := activeMemory{}
	return func(snapshot Snapshot) Reading {
		facts := snapshot[connections]
		past.note(facts)
		ended, isKept := past.endedVPN()
		switch {
		case facts.Problem != "" && ended != "" && !isKept:
			return Reading{Position: "down", Reason: facts.Problem + ", and " + legible(ended) + " has ended with it"}
		case facts.Problem != "":
			return Reading{Reason: facts.Problem, Grace: policy.GoneGrace}
		}
		reading := readVPN(activated(facts))
		if reading.Position == "up" {
			past.memory.note(facts, "up")
		} else {
			reading.Grace, reading.GraceOnlyFrom = past.grace(policy, facts, "up"), "up"
		}
		reading.Reason = whileStarting(facts, reading.Reason)
		return reading
	}
}

func readVPN(up []Facts) Reading {
	for _, connection := range up {
		if name, kind, isVPN := readProfile(connection); isVPN {
			return Reading{Position: "up", Reason: "Id=" + legible(name) + " Type=" + kind}
		}
	}
	return Reading{Position: "down", Reason: "no VPN is active"}
}

// readProfile returns the name and the type of a connection's profile, and reports
// whether it is a VPN.
func readProfile(connection Facts) (name, kind string, isVPN bool) {
	name, _ = connection.Text("Id")
	kind, _ = connection.Text("Type")
	isPlugins, _ := connection.Bool("Vpn")
	return name, kind, isPlugins || kind == wireguard
}

// wireguard is the type of VPN that the kernel keeps up without NetworkManager.
const wireguard = "wireguard"
