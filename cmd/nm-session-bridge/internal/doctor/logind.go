package doctor

import (
	"fmt"
	"slices"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

func (sys *system) logind() []Finding {
	const unit = "systemd-logind.service"
	switch login1 := sys.machine.login1; {
	case login1.err != nil:
		return []Finding{{
			What: fmt.Sprintf("logind does not answer: %v", login1.err),
			Why:  "the bridge reads the lid and sleep from it",
			Mend: run("sudo systemctl restart " + unit),
		}}
	case login1.properties == nil:
		return []Finding{{
			What: "logind is not running",
			Why:  "the bridge reads the lid and sleep from it: lid-closed.target and sleep.target are never reached",
			Mend: run("sudo systemctl start " + unit),
		}}
	}
	upower := observers.UPower().Name
	if sys.machine.lidSignalled || slices.Contains(sys.machine.owned, upower) || slices.Contains(sys.machine.activatable, upower) {
		return nil
	}
	return []Finding{{
		What: "this logind does not signal the lid (systemd 256 does, and 255 since 255.3), and there is no UPower",
		Why:  "the bridge asks logind every two seconds instead, which is slow and costs power",
		Mend: run(thisDistribution().install("upower") + " && systemctl --user reload-or-restart nm-session-bridge.service"),
	}}
}
