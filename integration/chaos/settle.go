package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// patience is how long it may take until everything is as it should be. The bridge waits up to 30
	// s before it asks a silent service again, and the machine may be shared.
	patience = 2 * time.Minute
	// still is how long nothing must happen after that.
	still = 400 * time.Millisecond
	// again is how often states that nothing announces are read.
	again = 250 * time.Millisecond
	// fightWindow is how long the bridge remembers its corrections, with some margin. fightMost is how
	// many corrections it makes before it pauses.
	fightWindow = 12 * time.Second
	fightMost   = 5
)

// settle waits until everything is as the model says and stays so.
func (w *World) settle(ctx context.Context) (map[string]unit, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	last := ""
	for {
		w.takeNews()
		units, wrong, err := w.wrong(ctx)
		if err != nil {
			return nil, err
		}
		if ctx.Err() == nil {
			last = wrong
		}
		rest := again
		if wrong == "" {
			rest = still
		}
		select {
		case n := <-w.networkNews:
			w.takeNetwork(n)
		case <-w.watch.news:
		case <-ctx.Done():
			return nil, fmt.Errorf("it does not settle within %v: %s", patience, last)
		case <-time.After(rest):
			if wrong == "" {
				return units, nil
			}
		}
	}
}

// wrong says what is not yet as it should be. An error means that it never will be.
func (w *World) wrong(ctx context.Context) (units map[string]unit, wrong string, err error) {
	if !w.watch.isLive() {
		return nil, "the user manager is not on the session bus", nil
	}
	units, err = w.look(ctx, w.names()...)
	if err != nil {
		return nil, err.Error(), nil
	}
	bridge := units[bridgeUnit]
	switch {
	case bridge.active == "failed":
		return nil, "", fmt.Errorf("the bridge has failed: %s", bridge.result)
	case strings.Contains(bridge.status, "keeps moving") && !w.round.fought:
		return nil, "", fmt.Errorf("the bridge pauses without a fight: %s", bridge.status)
	}
	for _, wrong := range []string{
		wrongJobs(units), w.wrongServices(units), w.wrongSwitches(units), w.wrongLocks(), w.wrongNetwork(ctx), w.wrongDevice(ctx),
	} {
		if wrong != "" {
			return nil, wrong, nil
		}
	}
	return units, "", nil
}

func wrongJobs(units map[string]unit) string {
	for name, u := range units {
		if u.queued {
			return name + " has a job"
		}
	}
	return ""
}

// names returns all units that matter.
func (w *World) names() []string {
	names := append(targets(), bridgeUnit, "connection@*.target")
	for _, s := range services() {
		names = append(names, s.name)
	}
	return names
}

// wrongSwitches looks for a switch that is in none of its possible positions.
func (w *World) wrongSwitches(units map[string]unit) (wrong string) {
	if bridge := units[bridgeUnit]; bridge.active != "active" {
		return "the bridge is " + bridge.active
	}
	for _, a := range aspects() {
		if w.free[a.name] {
			continue
		}
		for _, position := range w.possible(a) {
			if wrong = w.wrongPosition(a, position, units); wrong == "" {
				break
			}
		}
		if wrong != "" {
			return wrong
		}
	}
	return ""
}

// wrongPosition says why a switch is not in a position.
func (w *World) wrongPosition(a aspect, position string, units map[string]unit) string {
	for _, target := range among(a, units) {
		want, is := a.wants(position, target), units[target].active == "active"
		excused := want && w.masked[target] // a masked target stays as it was
		if want != is && !excused {
			return fmt.Sprintf("%s is %q though the %s is %q", target, units[target].active, a.name, position)
		}
	}
	for _, target := range a.targets(position) {
		if units[target].active != "active" && !w.masked[target] {
			return fmt.Sprintf("%s is not there though the %s is %q", target, a.name, position)
		}
	}
	status := units[bridgeUnit].status
	if said := statusOf(status, a.name); !says(said, position) || strings.Contains(said, "in doubt") && !w.staysInDoubt(a, position) {
		return fmt.Sprintf("the bridge does not say that the %s is %q: %s", a.name, position, status)
	}
	return ""
}

// staysInDoubt reports whether a doubt is permanent. The bridge neither locks nor unlocks
// while logind is away or knows no session, and it does not unlock because logind says
// nothing.
func (w *World) staysInDoubt(a aspect, position string) bool {
	return a.name == "lock" && (!w.logind.present || len(w.sessions.screens()) == 0 || position == "locked")
}

// says reports whether a status gives a switch a position.
func says(said, position string) bool {
	if position == unknown {
		position = "unknown"
	}
	return positionIn(said) == position
}

// positionIn returns the position in what a status says about a switch.
func positionIn(said string) string {
	position, _, _ := strings.Cut(said, " (")
	return position
}

func (w *World) wrongServices(units map[string]unit) string {
	lock, _ := aspectOf("lock.target")
	for _, s := range services() {
		target, is := units[s.target], units[s.name]
		up := target.active == "active"
		if up && is.result == limitHit && w.usedUp(s) {
			w.excused[s.name] = target.invocation
		}
		if w.excused[s.name] == target.invocation {
			continue
		}
		if up && is.result == limitHit {
			return s.name + " is left behind by its start limit"
		}
		if must := up && w.round.must[s.name] && !w.round.disturbed && !w.round.masks && !w.isVague(lock); must && is.active != "active" {
			return fmt.Sprintf("%s is %s (result %s) though what %s wants was to be started again", s.name, is.active, is.result, s.target)
		}
		if !s.lasts || w.isLoose(s) {
			continue
		}
		want := up && w.kept[s.name] != target.invocation
		if want != (is.active == "active") {
			return fmt.Sprintf("%s is %s (result %s) though %s is %s (stopped by hand: %t)",
				s.name, is.active, is.result, s.target, target.active, w.kept[s.name] == target.invocation)
		}
	}
	return ""
}

// usedUp reports whether the user has recently moved the targets of a service's switch, or may have
// made the service start.
func (w *World) usedUp(s service) bool {
	a, _ := aspectOf(s.target)
	return w.lately(a.name) > 0 || w.round.moved[s.target]+w.round.pulled[s.name] > 0
}

// isLoose reports whether the model cannot know if a service runs that a user may have
// stopped. Either the user stopped it while its target moved, or its target was about to
// stop and then stayed active, which started all its units again.
func (w *World) isLoose(s service) bool {
	a, _ := aspectOf(s.target)
	seen := w.watch.seen()
	return w.unsure[s.name] || seen.unended[s.target] > 0 || seen.blind && len(w.round.positions[a.name]) > 1
}

// lately returns how often the user has recently moved the targets of a switch.
func (w *World) lately(aspect string) int {
	w.moves[aspect] = slices.DeleteFunc(w.moves[aspect], func(at time.Time) bool { return time.Since(at) > fightWindow })
	return len(w.moves[aspect])
}

// statusOf returns what a status says about a switch, as "open (from logind)" in "internet online,
// lid open (from logind)".
func statusOf(status, name string) string {
	for _, words := range strings.Split(status, ", ") {
		if said, found := strings.CutPrefix(words, name+" "); found {
			return said
		}
	}
	return ""
}

// wrongLocks checks the delay locks: there must be one while the machine is awake.
func (w *World) wrongLocks() string {
	held := map[string]int{}
	all, _ := w.sb.Login1.Inhibitors()
	for _, lock := range all {
		if lock.Who == "nm-session-bridge" {
			held[lock.What]++
		}
	}
	for what, isUnderway := range map[string]bool{"sleep": w.logind.asleep, "shutdown": w.logind.ending} {
		most := 0
		if w.logind.present && !isUnderway {
			most = 1
		}
		if held[what] > most || held[what] < most && (what != "sleep" || !w.logind.unheard) {
			return fmt.Sprintf("the bridge holds %d delay locks on %s, not %d", held[what], what, most)
		}
	}
	return ""
}

// wrongNetwork checks that NetworkManager's state is the one that was last recorded.
func (w *World) wrongNetwork(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := w.sb.SystemBus.Connect(ctx)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	now, err := readNetwork(ctx, conn)
	if err != nil && w.nmUp {
		return "NetworkManager does not answer: " + err.Error()
	}
	now.ended = w.network.ended
	if now != w.network {
		return fmt.Sprintf("NetworkManager is %+v, last heard %+v", now, w.network)
	}
	return ""
}

// wrongDevice checks that the bridge names the device that decides whether the internet is there.
func (w *World) wrongDevice(ctx context.Context) string {
	out, err := w.run(ctx, w.program, "status", "--json")
	if err != nil {
		return err.Error()
	}
	var said struct{ Facts map[string]string }
	if err := json.Unmarshal([]byte(out), &said); err != nil {
		return "the bridge's status is no JSON: " + err.Error()
	}
	reads := said.Facts["internet.reads"]
	_, by := w.network.internet()
	names := func(device string) bool { return strings.Contains(reads, " "+device+".Ip") }
	switch {
	case len(by) == 0 && strings.Contains(reads, ".Ip"):
		return "the bridge names a device that decides nothing: " + reads
	case len(by) > 0 && !slices.ContainsFunc(by, names):
		return fmt.Sprintf("the bridge does not name %s, by which the internet is reached: %s", strings.Join(by, " or "), reads)
	}
	return ""
}
