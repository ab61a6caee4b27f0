package doctor

import (
	"fmt"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

const networkManagerUnit = "NetworkManager.service"

func (sys *system) network() []Finding {
	nm := sys.machine.networkManager
	switch {
	case nm.err != nil:
		return []Finding{{
			What: fmt.Sprintf("NetworkManager does not answer: %v", nm.err),
			Why:  "internet-online.target and the other network targets follow nothing else",
			Mend: run("sudo systemctl restart " + networkManagerUnit),
		}}
	case nm.properties == nil:
		return []Finding{sys.noNetworkManager()}
	case !nm.is("ConnectivityCheckAvailable"):
		return []Finding{{
			What: "NetworkManager's connectivity check is off: it has no address to check",
			Why:  "NetworkManager then guesses from the routes: a dead uplink or a portal that requires a sign-in counts as online",
			Mend: run(thisDistribution().connectivity()),
		}}
	case !nm.is("ConnectivityCheckEnabled"):
		source := observers.NetworkManager()
		return []Finding{{
			What: "NetworkManager's connectivity check is switched off",
			Why:  "NetworkManager then guesses from the routes: a dead uplink or a portal that requires a sign-in counts as online",
			Mend: run(fmt.Sprintf("sudo busctl set-property %s %s %s ConnectivityCheckEnabled b true", source.Name, source.Root.Path, source.Root.Interface)),
		}}
	}
	return nil
}

func (sys *system) noNetworkManager() Finding {
	f := Finding{
		What: "NetworkManager is not installed",
		Why:  "the bridge reads the network from it alone: without it internet-offline.target stays active",
		Mend: run(thisDistribution().install("network-manager")),
	}
	if sys.isSystemUnit(networkManagerUnit) {
		f.What = "NetworkManager is not running"
		f.Mend = run("sudo systemctl unmask " + networkManagerUnit + " && sudo systemctl enable --now " + networkManagerUnit)
	}
	return f
}
