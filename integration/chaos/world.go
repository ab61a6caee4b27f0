package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// World is a sandbox with the bridge in it, and the record of what was done to it. One goroutine
// owns it.
type World struct {
	sb      *sandbox.Sandbox
	program string
	control *dbus.Conn // root's, to NetworkManager

	networkNews chan network
	network     network
	logind      logind
	sessions    sessions
	wakeful     string    // position of sleep that the bridge told when the last round had settled
	lock        string    // position of the lock
	crashed     time.Time // when the locker crashed last
	silent      bool      // whether the locker ends without a word
	power       power
	standIns    standIns
	busUp, nmUp bool
	nmFrozen    bool
	upgrades    int

	later []action
	trace []string
	began time.Time

	masked  map[string]bool        // by target
	free    map[string]bool        // yielding switches whose targets the user has moved
	moves   map[string][]time.Time // by switch: when the user moved its targets
	kept    map[string]string      // service that the user has stopped → start of its target that it was stopped in
	unsure  map[string]bool        // services that the user touched while their target moved
	excused map[string]string      // service that the user has started too often → start of its target

	watch  *watch
	round  round
	growth growth
	total  Summary
}

// round is what happened in a round.
type round struct {
	initial map[string]bool // targets that were active at its beginning
	// positions holds, by switch, the positions that it went through, beginning with its first.
	positions map[string][]string
	moved     map[string]int  // by target: how often the user may have caused its start
	pulled    map[string]int  // by service: how often the user may have caused its start
	masks     bool            // whether a target was masked in it
	limited   map[string]bool // services that had hit their start limit before
	deaf      map[string]int  // by switch: how often its service did not answer
	vague     map[string]bool // switches that may have stayed in any position that they went through
	shaky     bool            // whether the next news about the lock may be missed or overtaken
	hinted    bool            // whether a LockedHint has changed
	silentEnd bool            // whether a locker has ended without a word
	crashed   bool            // whether the locker has crashed
	must      map[string]bool // services that must run once it has settled, whatever they did before
	nested    bool            // whether it had one sleep, which was within another
	fought    bool            // whether the user has moved targets so often that the bridge may pause
	reborn    bool            // whether the bridge or a service was started, so that something had to be asked again
	ended     bool            // whether NetworkManager was away in it and had ended a VPN
	disturbed bool            // whether the bridge may have missed how a locker ended
}

// action is something to do later in a round.
type action struct {
	at   time.Time
	what string
	do   func(context.Context) error
}

// skipped is the reason why a fault cannot happen now.
type skipped string

func (s skipped) Error() string { return string(s) }

// enter brings up a sandbox with the units under test and the bridge.
func enter(ctx context.Context, program string) (*World, error) {
	sb, err := sandbox.Up(ctx, sandbox.Options{SecondLink: true, NoNetworkManager: true})
	if err != nil {
		return nil, err
	}
	w := &World{
		sb: sb, program: program, busUp: true, nmUp: true, logind: logind{present: true},
		sessions: sessions{all: []*session{{number: 1, hasScreen: true}}}, wakeful: "awake", lock: "unlocked", power: power{upower: true}, free: map[string]bool{},
		networkNews: make(chan network, 4096), round: newRound(),
		masked: map[string]bool{}, moves: map[string][]time.Time{}, kept: map[string]string{}, unsure: map[string]bool{}, excused: map[string]string{},
		began: time.Now(), total: Summary{Faults: map[string]int{}, Positions: map[string]int{}, began: time.Now()},
	}
	if err := errors.Join(w.startNetwork(ctx), w.startStandIns(ctx), w.install(ctx)); err != nil {
		return nil, errors.Join(err, sb.Down())
	}
	go recordNetwork(ctx, sb.SystemBus, w.networkNews)
	w.watch = newWatch(ctx, sb)
	return w, nil
}

func (w *World) install(ctx context.Context) error {
	for _, file := range [][2]string{
		{slowness, "0"},
		{outcome, "0"},
		{
			".config/systemd/user/" + bridgeUnit + ".d/override.conf",
			"[Service]\nExecStart=\nExecStart=%h/.local/bin/nm-session-bridge run --limited-grace=500ms --gone-grace=2s\n",
		},
		// For sessionBusKill.
		{".config/systemd/user/dbus.service.d/kill.conf", "[Service]\nKillSignal=SIGKILL\n"},
	} {
		if err := w.sb.WriteFile(file[0], []byte(file[1]), 0o644); err != nil {
			return err
		}
	}
	var names []string
	for _, s := range services() {
		names = append(names, s.name)
		if err := w.sb.WriteFile(".config/systemd/user/"+s.name, []byte(s.content), 0o644); err != nil {
			return err
		}
	}
	if _, err := w.systemctl(ctx, append([]string{"enable"}, names...)...); err != nil {
		return err
	}
	_, err := w.run(ctx, w.program, "install", "--now")
	return err
}

// leave takes the sandbox down.
func (w *World) leave() error {
	if w.control != nil {
		_ = w.control.Close()
	}
	w.watch.close()
	w.standIns.close()
	err := w.removeInterfaces(context.Background())
	return errors.Join(w.sb.Down(), err)
}

// run runs a command of the user.
func (w *World) run(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := w.sb.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second // for processes that have inherited its output
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return text, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, text)
	}
	return text, nil
}

func (w *World) systemctl(ctx context.Context, args ...string) (string, error) {
	return w.run(ctx, "systemctl", append([]string{"--user"}, args...)...)
}

// ask makes a request of the user that may be refused.
func (w *World) ask(ctx context.Context, args ...string) error {
	_, err := w.systemctl(ctx, args...)
	var refused *exec.ExitError
	if errors.As(err, &refused) {
		w.note("  refused: %v", err)
		return nil
	}
	return err
}

// note keeps a line for the report of a failure.
func (w *World) note(format string, args ...any) {
	w.trace = append(w.trace, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

// afterwards plans something for later.
func (w *World) afterwards(d time.Duration, what string, do func(context.Context) error) {
	w.later = append(w.later, action{time.Now().Add(d), what, do})
	slices.SortStableFunc(w.later, func(a, b action) int { return a.at.Compare(b.at) })
}

// goes notes that switches have new positions.
func (w *World) goes() {
	for _, a := range aspects() {
		position, was := w.present()[a.name], w.round.positions[a.name]
		if len(was) > 0 && was[len(was)-1] == position {
			continue
		}
		w.round.positions[a.name] = append(was, position)
		if len(was) > 0 && a.name == "sleep" && position == "asleep" {
			w.pullsLock()
		}
	}
}

// present returns the position of each switch.
func (w *World) present() map[string]string {
	internet, _ := w.network.internet()
	idle := unknown
	if w.logind.present {
		idle = w.sessions.idle()
	}
	return map[string]string{
		"internet":   internet,
		"uplink":     w.network.uplink(),
		"lid":        w.logind.lid(),
		"sleep":      w.logind.sleep(),
		"shutdown":   w.logind.shutdown(),
		"lock":       w.lock,
		"idle":       idle,
		"power":      w.power.position(w.logind),
		"metered":    w.network.metering(),
		"vpn":        w.network.tunnel(),
		"connection": w.network.connection(),
	}
}

// isVague reports whether a switch may have stayed in any position that it went through.
func (w *World) isVague(a aspect) bool {
	return w.round.vague[a.name] || a.name == "lock" && w.round.silentEnd && w.round.disturbed
}

// possible returns the positions that a switch may be in.
func (w *World) possible(a aspect) []string {
	switch {
	case w.isVague(a):
		return w.round.positions[a.name]
	case a.name == "sleep" && w.logind.sleep() != "asleep":
		return w.possibleAwake(a)
	case a.name == "vpn" && !w.network.present:
		// A VPN that has ended with NetworkManager is down. A bridge that started later
		// does not know about it.
		return []string{w.network.tunnel(), unknown}
	}
	return []string{w.present()[a.name]}
}

// takeNews records what has become known.
func (w *World) takeNews() (news bool) {
	for {
		select {
		case n := <-w.networkNews:
			w.takeNetwork(n)
		case <-w.watch.news:
		default:
			return news
		}
		news = true
	}
}

func (w *World) takeNetwork(n network) {
	if n != w.network {
		w.network, w.round.ended = n, w.round.ended || n.ended
		w.note("  NetworkManager: %+v", n)
		w.goes()
	}
}

// quietlyUntil records news until a moment.
func (w *World) quietlyUntil(ctx context.Context, at time.Time) {
	due := time.After(time.Until(at))
	for {
		select {
		case n := <-w.networkNews:
			w.takeNetwork(n)
		case <-w.watch.news:
		case <-due:
			return
		case <-ctx.Done():
			return
		}
	}
}

// writeFile replaces one of the user's files.
func (w *World) writeFile(name, content string) error {
	return w.sb.WriteFile(name, []byte(content), 0o644)
}

// newer writes another program with the same behaviour: trailing bytes do nothing.
func (w *World) newer() (string, error) {
	content, err := os.ReadFile(w.program)
	if err != nil {
		return "", err
	}
	w.upgrades++
	name := w.program + "-newer"
	return name, os.WriteFile(name, append(content, fmt.Sprintf("newer %d", w.upgrades)...), 0o755)
}
