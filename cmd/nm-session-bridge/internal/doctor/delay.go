package doctor

import (
	"context"
	"fmt"
	"math"
	"os/exec"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/journal"
)

// seconds is a time in seconds.
type seconds float64

// delay finds what keeps sleep from waiting for units: a refused lock, or units that take
// longer to start than logind waits. It compares with their last start, because their
// timeouts do not show how long they take.
func (sys *system) delay() []Finding {
	most := seconds(property[uint64](sys.machine.login1.properties, "InhibitDelayMaxUSec")) / 1e6
	var found []Finding
	enough := 0 // for all of them, so that no finding's command undoes another's
	for _, target := range sys.beforeSleep() {
		for _, name := range sys.user.unit(target).wants() {
			took, known := sys.lasted(name)
			if !known || took <= most*client.DelayShare {
				continue
			}
			enough = max(enough, int(math.Ceil(float64(took)/client.DelayShare))+1)
			found = append(found, Finding{
				Unit: name,
				What: fmt.Sprintf("logind's InhibitDelayMaxSec=%gs is too short for %s, whose last start took %.1f s", most, name, took),
				Why:  fmt.Sprintf("%s starts it, and sleep is delayed for at most %.1f s, four fifths of that: the machine sleeps before the start is complete", target, most*client.DelayShare),
			})
		}
	}
	for i := range found {
		found[i].Mend = run(fmt.Sprintf(`sudo mkdir -p /etc/systemd/logind.conf.d && printf '[Login]\nInhibitDelayMaxSec=%d\n' | sudo tee /etc/systemd/logind.conf.d/nm-session-bridge.conf && sudo systemctl reload-or-restart systemd-logind.service`, enough))
	}
	return append(sys.refused(), found...)
}

// refused finds delay locks that logind does not let the user take.
func (sys *system) refused() []Finding {
	facts := property[map[string]string](sys.user.bridge, client.FactsProperty)
	var operations, targets []string
	for _, s := range sys.Switches {
		if s.Delays != "" && facts[s.Name+".lock"] == "refused" {
			operations = append(operations, s.Delays)
			targets = append(targets, s.TargetsIn(s.During)...)
		}
	}
	if len(operations) == 0 {
		return nil
	}
	return []Finding{{
		What: "logind does not let nm-session-bridge delay " + listed(operations) + "; that requires polkit",
		Why:  "the machine does not wait for the units of " + few(targets),
		Mend: run(thisDistribution().install("polkitd") + " && systemctl --user reload nm-session-bridge.service"),
	}}
}

// beforeSleep returns the targets whose units delay sleep: those of sleep itself, and of
// the closed lid that may cause it.
func (sys *system) beforeSleep() []string {
	targets := sys.momentary()
	for _, s := range sys.Switches {
		if s.Name == "lid" {
			targets = append(targets, s.TargetsIn("closed")...)
		}
	}
	return targets
}

// momentary returns the targets that end by themselves, such as sleep.target.
func (sys *system) momentary() []string {
	var targets []string
	for _, s := range sys.Switches {
		if s.Delays != "" {
			targets = append(targets, s.TargetsIn(s.During)...)
		}
	}
	return targets
}

// lastStart reads from the journal how long a unit's last completed start took. The user
// manager does not remember it: as soon as the machine is awake, it unloads sleep.target
// and the units that the target wants.
func lastStart(ctx context.Context, unit string) (seconds, bool) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "journalctl", "--user", "--quiet", "--lines=20", "--output=export", "--output-fields=MESSAGE_ID",
		"USER_UNIT="+unit, "MESSAGE_ID="+journal.UnitStarting, "MESSAGE_ID="+journal.UnitStarted, "MESSAGE_ID="+journal.UnitFailed).Output()
	if err != nil {
		return 0, false // nothing is known without the journal
	}
	return lastOf(out)
}

// lastOf finds the last start and its end in an export of the journal.
func lastOf(export []byte) (took seconds, known bool) {
	entries, err := journal.ParseExport(export)
	if err != nil {
		return 0, false // as without a journal
	}
	var start *journal.Exported
	for _, e := range entries {
		switch {
		case e.Text("MESSAGE_ID") == journal.UnitStarting:
			start = &e
		case start != nil && e.Boot == start.Boot:
			took, known = seconds((e.Monotonic - start.Monotonic).Seconds()), true
			start = nil
		}
	}
	return took, known
}
