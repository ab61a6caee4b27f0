package chaos

import (
	"context"
	"maps"
	"math/rand"
	"slices"
	"strings"
)

// fault is a kind of fault.
type fault struct {
	name   string
	weight int // how often it is drawn, relative to others
	// draw draws its argument. It is nil for a fault without one.
	draw func(*rand.Rand) string
	// happen makes it happen, and notes in the world what that means for the model. A fault that lasts
	// also plans its end. happen returns a skipped if the fault cannot happen now.
	happen func(ctx context.Context, w *World, arg string) error
}

func faults() []fault {
	anyTarget := drawOf(targets()...)
	spare := drawOf(slices.Sorted(maps.Keys(spares()))...)
	return []fault{
		{"nm-stop", 2, nil, nmStop},
		{"nm-start", 3, nil, nmStart},
		{"nm-kill", 3, drawGap, nmKill},
		{"nm-restart", 3, drawGap, nmRestart},
		{"nm-freeze", 2, drawStop, nmFreeze},
		{"nm-slow-start", 2, drawStop, nmSlowStart},
		{"networking-off", 2, nil, networkingOff},
		{"networking-on", 3, nil, networkingOn},
		{"networking-flap", 2, drawFlap, networkingFlap},
		{"unplug", 3, nil, unplug},
		{"plug", 4, nil, plug},
		{"plug-flap", 2, drawFlap, plugFlap},
		{"dhcp-stop", 2, nil, dhcpStop},
		{"dhcp-start", 3, nil, dhcpStart},
		{"check", 8, drawOf("full", "full", "full", "portal-redirect", "portal-body", "limited-refuse", "hang"), check},
		{"check-flap", 5, drawFlap, checkFlap},
		{"network-mended", 14, nil, networkMended},
		{"second-plug", 6, drawOf("in", "in", "out"), secondPlug},
		{"second-flap", 2, drawFlap, secondFlap},
		{"second-dhcp", 4, drawOf("start", "stop"), secondDHCP},
		{"second-check", 8, drawOf("full", "full", "portal-redirect", "portal-body", "limited-refuse", "hang"), secondCheck},
		{"second-metric", 3, drawOf(firstMetric, lastMetric), secondMetric},
		{"second-mended", 6, nil, secondMended},
		{"foreign-bridge", 4, drawOf("up", "down"), foreignBridges},
		{"foreign-flap", 2, drawFlap, foreignFlap},
		{"foreign-vpn", 3, drawOf("up", "down"), foreignVPN},

		{"metered", 6, drawOf("yes", "no", "unknown"), metered},
		{"profile-up", 8, spare, profileUp},
		{"profile-down", 3, spare, profileDown},
		{"profile-delete", 2, spare, profileDelete},
		{"profile-rename", 8, drawRename, profileRename},
		{"vpn-up", 5, drawOf("vpn"), profileUp},
		{"vpn-crash", 2, nil, vpnCrash},

		{"lid", 6, drawOf("open", "closed", "open", "closed", "same"), moveLid},
		{"lid-flap", 5, drawFlap, lidFlap},
		{"sleep", 5, nil, goToSleep},
		{"wake", 7, nil, wakeUp},
		{"wake-unheard", 4, nil, wakeUnheard},
		{"shutdown", 4, nil, shutDown},
		{"shutdown-cancelled", 3, nil, cancelShutdown},
		{"logind-gone", 2, nil, logindGone},
		{"logind-back", 4, nil, logindBack},
		{"logind-restart", 3, drawGap, logindRestart},
		{"logind-hangs", 3, drawStop, logindHangs},
		{"logind-lies", 3, drawGap, logindLies},
		{"logind-garbles", 3, drawGap, logindGarbles},

		{"lock", 14, drawOf("lock", "lock", "lock", "unlock", "lock-oldest", "unlock-oldest"), askToLock},
		{"lock-flap", 2, drawFewFlaps, lockFlap},
		{"locked-hint", 5, drawOf("locked", "unlocked", "locked-oldest", "unlocked-oldest"), lockedHint},
		{"lock-other", 3, drawOf("lock", "unlock"), lockOther},
		{"locker-ends", 8, nil, lockerEnds},
		{"locker-crashes", 4, drawOf("KILL", "SEGV"), lockerCrashes},
		{"locker-unit", 4, drawOf("tells", "silent"), lockerUnit},
		{"session-begins", 6, drawOf(slices.Sorted(maps.Keys(kinds()))...), sessionBegins},
		{"session-ends", 4, drawOf("oldest", "newest"), sessionEnds},
		{"session-changes", 2, nil, sessionChanges},
		{"session-turns", 2, nil, sessionTurns},
		{"idle-hint", 6, drawOf("idle", "idle", "busy", "idle-oldest", "idle-oldest", "busy-oldest"), idleHint},

		{"power", 7, drawOf("ac", "battery"), movePower},
		{"power-flap", 3, drawFlap, powerFlap},
		{"upower-gone", 2, nil, upowerGone},
		{"upower-back", 4, nil, upowerBack},
		{"upower-restart", 3, drawGap, upowerRestart},

		{"reload", 4, nil, reload},
		{"reexec", 3, nil, reexec},
		{"mask", 2, anyTarget, mask},
		{"unmask", 6, nil, unmask},
		{"start-target", 4, drawOf(targets()...), startTarget},
		{"stop-target", 4, anyTarget, stopTarget},
		{"start-service", 4, drawOf(lasting()...), startService},
		{"stop-service", 4, drawOf(lasting()...), stopService},
		{"fight", 1, nil, fight},
		{"manager-freeze", 3, drawGap, managerFreeze},
		{"slow-units", 3, drawOf("0", "0.5", "1.5", "3"), slowUnits},
		{"failing-units", 2, drawOf("0", "1"), failingUnits},

		{"bridge-freeze", 4, drawStop, bridgeFreeze},
		{"bridge-kill", 6, nil, bridgeKill},
		{"bridge-abort", 2, nil, bridgeAbort},
		{"bridge-restart", 4, nil, bridgeRestart},
		{"bridge-reload", 2, nil, bridgeReload},
		{"bridge-upgrade", 2, nil, bridgeUpgrade},
		{"forge", 4, drawOf("1", "5", "20"), forge},
		{"session-bus-kill", 2, nil, sessionBusKill},
		{"system-bus-kill", 2, drawGap, systemBusKill},
	}
}

// isDeafening reports whether the bridge may miss events because of the fault.
func (f fault) isDeafening() bool {
	return slices.ContainsFunc([]string{"bridge-", "logind-", "manager-", "session-bus-", "system-bus-", "re"}, func(kind string) bool {
		return strings.HasPrefix(f.name, kind)
	})
}

// happen makes a drawn fault happen.
func (w *World) happen(ctx context.Context, step Step) error {
	for _, f := range faults() {
		if f.name == step.Fault {
			w.note("%s %s", step.Fault, step.Arg)
			w.round.disturbed = w.round.disturbed || f.isDeafening()
			return f.happen(ctx, w, step.Arg)
		}
	}
	return skipped("there is no such fault")
}

func targets() []string {
	var all []string
	for _, a := range aspects() {
		all = append(all, a.all...)
	}
	return all
}

// lasting are the services that a user would start and stop by hand.
func lasting() []string {
	var names []string
	for _, s := range services() {
		if s.lasts {
			names = append(names, s.name)
		}
	}
	return names
}
