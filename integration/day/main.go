// Day plays, in a sandbox, a day of the palmtop in the blog post "Session
// management with systemd", from which the bridge grew. NetworkManager and the
// user manager are real, and the bridge is installed as a user would install
// it. Day prints a timeline and succeeds only if every expected state was
// reached.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: day PROGRAM   (the nm-session-bridge to install; see ./integration/demo)")
		os.Exit(2)
	}
	const program = "/dev/shm/nm-session-bridge"
	err := sandbox.Enter("")
	if err == nil {
		err = provide(os.Args[1], program)
	}
	if err == nil {
		err = play(program)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "day:", err)
		os.Exit(1)
	}
}

// provide copies the program to where the sandbox's user can run it. The directories around
// the original may be closed to others.
func provide(program, to string) error {
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o755)
}

// play brings the palmtop up, lets the day pass and takes it down.
func play(program string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	sb, err := sandbox.Up(ctx, sandbox.Options{Unplugged: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sb.Down()) }()
	out := newScreen(os.Stdout)
	out.heading(fmt.Sprintf("the palmtop is up after %s: %s, user %s",
		time.Since(began).Round(time.Millisecond), sandbox.Versions(), sandbox.User))
	if err := furnish(sb); err != nil {
		return err
	}
	timeline, err := sb.Timeline(ctx)
	if err != nil {
		return err
	}
	defer timeline.Close()
	show := &follower{timeline: timeline, screen: out, states: map[string]string{}}

	failed := 0
	for _, scene := range day(sb, program) {
		reached, err := playScene(ctx, scene, show)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if err != nil {
			return err
		}
		if !reached {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d scenes did not end as they should", failed)
	}
	out.summary(len(day(sb, program)), time.Since(began))
	return nil
}

// sceneTimeout bounds one scene. It does not measure speed.
const sceneTimeout = time.Minute

// playScene makes something happen and waits until the units are as they should
// be.
func playScene(ctx context.Context, s scene, show *follower) (reached bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, sceneTimeout)
	defer cancel()
	show.screen.scene(s.title)
	show.began = time.Now()
	if err := s.happens(ctx); err != nil {
		return false, fmt.Errorf("%s: %w", s.title, err)
	}
	// Events are printed as they come, until nothing changes any more.
	following, stop := context.WithCancel(ctx)
	waited := make(chan error, 1)
	go func() {
		defer stop()
		missed := s.expected.wait(ctx, show.timeline)
		waited <- errors.Join(missed, show.timeline.Settle(ctx))
	}()
	show.follow(following)
	missed := <-waited
	if missed == nil {
		missed = s.expected.check(show.timeline)
	}
	if errors.Is(missed, context.Canceled) {
		return false, missed
	}
	show.screen.verdict(s.expected, missed)
	return missed == nil, nil
}

// follower prints the recorded events that it has not printed yet.
type follower struct {
	timeline *sandbox.Timeline
	screen   *screen
	began    time.Time // of the scene
	seen     int
	states   map[string]string
}

// follow prints events as they come until the context ends, and then those that
// have come.
func (f *follower) follow(ctx context.Context) {
	for {
		event, err := f.timeline.Event(ctx, f.seen)
		if err != nil {
			break
		}
		f.show(event)
	}
	for _, event := range f.timeline.Events()[f.seen:] {
		f.show(event)
	}
}

func (f *follower) show(event sandbox.Event) {
	f.seen++
	if event.Kind != sandbox.UnitChanged || !isShown(event.Unit) {
		return
	}
	before := f.states[event.Unit]
	f.states[event.Unit] = event.Active
	if change := changeOf(event, before); change != "" {
		f.screen.unit(event.Time.Sub(f.began), change, event.Unit)
	}
}

// changeOf returns what a person would call an event, or "" if nothing.
func changeOf(event sandbox.Event, before string) string {
	isOneshot := strings.HasPrefix(event.Unit, "alert-") || strings.HasPrefix(event.Unit, "screen-") || strings.HasPrefix(event.Unit, "radios-")
	switch {
	case isOneshot && event.Started:
		return "ran"
	case isOneshot || event.Active == before:
		return ""
	case event.Active == "active":
		return "started"
	case event.Active == "inactive" && before != "" && before != "activating":
		return "stopped"
	case event.Active == "failed":
		return "failed"
	}
	return ""
}

func isShown(unit string) bool {
	for _, prefix := range []string{"internet-", "lid-", "watch-", "alert-", "screen-", "radios-", "nm-session-bridge"} {
		if strings.HasPrefix(unit, prefix) {
			return true
		}
	}
	return false
}
