package observers

// uplink returns a reader of the kind of link that the default route uses.
func uplink(policy Policy) Reader {
	var past memory
	return func(snapshot Snapshot) Reading {
		facts := snapshot[networkManager]
		kind, isKnown := facts.Text("PrimaryConnectionType")
		switch {
		case facts.Problem != "":
			return Reading{Reason: facts.Problem, Grace: policy.GoneGrace}
		case !isKnown:
			return Reading{Reason: "NetworkManager does not report PrimaryConnectionType", Grace: policy.GoneGrace}
		}
		past.note(facts)
		reading := Reading{Position: uplinkKind(kind), Reason: whileStarting(facts, "PrimaryConnectionType="+legible(kind))}
		if reading.Position == None {
			reading.Reason = whileStarting(facts, "no default route")
			// A restarted NetworkManager finds its networks one by one.
			reading.Grace, reading.GraceOnlyFrom = past.grace(policy, facts, "uplink"), AnyPosition
		} else {
			past.note(facts, "uplink")
		}
		return reading
	}
}

// uplinkKind returns the position for a type of connection (connection.type in
// https://networkmanager.dev/docs/api/latest/settings-connection.html). A bond or
// another connection that is built on links counts as wired. NetworkManager does not
// say what a tunnel is built on.
func uplinkKind(connectionType string) string {
	switch connectionType {
	case "":
		return None
	case "802-3-ethernet", "infiniband", "pppoe", "adsl", "veth",
		"bond", "team", "bridge", "vlan", "macvlan", "ipvlan", "macsec", "hsr", "ovs-interface":
		return "wired"
	case "802-11-wireless", "802-11-olpc-mesh", "wifi-p2p":
		return "wifi"
	case "gsm", "cdma":
		return "cellular"
	}
	return "other"
}
