package observers

// vpn reads whether a VPN of NetworkManager is up.
func vpn(policy Policy, snapshot Snapshot) Reading {
	return readActive(policy, snapshot, readVPN)
}

func readVPN(up []Facts) Reading {
	for _, connection := range up {
		kind, _ := connection.Text("Type")
		if isVPN, _ := connection.Bool("Vpn"); isVPN || kind == "wireguard" {
			name, _ := connection.Text("Id")
			return Reading{Position: "up", Reason: "Id=" + legible(name) + " Type=" + kind}
		}
	}
	return Reading{Position: "down", Reason: "no VPN is active"}
}
