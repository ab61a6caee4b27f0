package scenes

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// sceneTimeout bounds one scene, in the laptop's own time, so that a scene that hangs says
// where. It does not measure speed: this laptop is slow.
const sceneTimeout = 6 * time.Minute

const (
	bridgeUnit = "nm-session-bridge.service"
	online     = "internet-online.target"
	offline    = "internet-offline.target"
	portal     = "internet-portal.target"
	lidOpen    = "lid-open.target"
	lidClosed  = "lid-closed.target"
	sleep      = "sleep.target"
	wake       = "wake.target"
)

// scene is the laptop with the helpers and checks of a test.
type scene struct {
	*testing.T
	ctx      context.Context
	who      account
	timeline *sandbox.Timeline
	since    string // when the scene began, for journalctl
}

// begin gives a scene a user without a past, and leaves the lid as it is.
func begin(t *testing.T) *scene {
	t.Helper()
	s := goOn(t)
	s.newUser()
	return s
}

// goOn leaves the user as an earlier boot left it.
func goOn(t *testing.T) *scene {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), sceneTimeout)
	t.Cleanup(cancel)
	// journalctl of systemd 252 skips the first matching entry after a cursor, if the
	// cursor's own entry does not match. A time has no such fault.
	now := time.Now()
	s := &scene{T: t, ctx: ctx, who: account{user, uid}, since: fmt.Sprintf("@%d.%06d", now.Unix(), now.Nanosecond()/1000)}
	t.Cleanup(func() {
		if t.Failed() {
			s.tell()
		}
	})
	return s
}

// beginOpen is like begin, with the lid open.
func beginOpen(t *testing.T) *scene {
	t.Helper()
	s := begin(t)
	s.move("open")
	return s
}

// record starts a new timeline, so earlier events no longer count.
func (s *scene) record() {
	s.Helper()
	timeline, err := sandbox.Record(s.ctx, s.who.uid, s.who.sessionBus())
	s.must(err)
	s.follow(timeline)
}

func (s *scene) follow(timeline *sandbox.Timeline) {
	if s.timeline != nil {
		_ = s.timeline.Close()
	}
	s.timeline = timeline
}

// tell prints what happened in a failed scene.
func (s *scene) tell() {
	s.tellEvents()
	journal, err := exec.Command("journalctl", "--no-pager", "--no-hostname", "--output=short-precise",
		"--since="+s.since).CombinedOutput()
	s.Logf("%s%v", journal, err)
}

func (s *scene) tellEvents() {
	if s.timeline != nil {
		for _, event := range s.timeline.Events() {
			s.Log(event)
		}
	}
}

func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// until waits for a condition that nobody signals.
func (s *scene) until(what string, condition func() bool) {
	s.Helper()
	for !condition() {
		select {
		case <-s.ctx.Done():
			s.Fatalf("gave up waiting until %s", what)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// expect waits until units are in a state.
func (s *scene) expect(state string, units ...string) {
	s.Helper()
	for _, unit := range units {
		s.must(s.timeline.Wait(s.ctx, unit, state))
	}
}

// starts checks how often units were started, once everything has settled.
func (s *scene) starts(want map[string]int) {
	s.Helper()
	for unit, count := range want {
		s.must(s.timeline.WaitStarts(s.ctx, unit, count))
	}
	s.must(s.timeline.Settle(s.ctx))
	for unit, count := range want {
		if got := s.timeline.Starts(unit); got != count {
			s.Errorf("%s was started %d times, not %d", unit, got, count)
		}
	}
}

// internet waits until exactly the given ones of the internet's targets are active.
func (s *scene) internet(targets ...string) {
	s.Helper()
	s.only([]string{online, offline, portal}, targets)
}

// lid waits until exactly the given one of the lid's targets is active.
func (s *scene) lid(target string) {
	s.Helper()
	s.only([]string{lidOpen, lidClosed}, []string{target})
}

func (s *scene) only(among, active []string) {
	s.Helper()
	s.expect("active", active...)
	for _, target := range among {
		if !strings.Contains(strings.Join(active, " "), target) {
			s.expect("inactive", target)
		}
	}
}

// sure waits until the bridge's status text contains some words and no doubts.
func (s *scene) sure(words string) {
	s.Helper()
	s.until("the bridge is sure: "+words, func() bool {
		text := s.systemctl("show", "--value", "--property=StatusText", bridgeUnit)
		return strings.Contains(text, words) && !strings.Contains(text, "in doubt")
	})
}

// waitLog follows the bridge's log of this scene until a line contains all words.
func (s *scene) waitLog(words ...string) {
	s.Helper()
	follow := exec.CommandContext(s.ctx, "journalctl", "--follow", "--no-tail", "--output=cat",
		"--since="+s.since, "_SYSTEMD_USER_UNIT="+bridgeUnit, fmt.Sprint("_UID=", s.who.uid))
	out, err := follow.StdoutPipe()
	s.must(err)
	s.must(follow.Start())
	defer func() {
		_ = follow.Process.Kill()
		_ = follow.Wait() // killed
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if containsAll(lines.Text(), words) {
			return
		}
	}
	s.Fatalf("the log does not come to say %q", words)
}

func containsAll(text string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// once returns a oneshot that runs each time that a target is reached.
func once(target string) string {
	return "[Service]\nType=oneshot\nExecStart=/bin/true\n[Install]\nWantedBy=" + target + "\n"
}

// while returns a service that runs while a target is active. It follows the
// README's pattern.
func while(target string) string {
	return "[Unit]\nAfter=" + target + "\nPartOf=" + target + "\nRequisite=" + target +
		"\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=" + target + "\n"
}
