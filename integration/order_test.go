package integration

import (
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// ask makes a call of the bridge, and does not wait for the answer.
func (s *scene) ask(conn *dbus.Conn, method string, args ...any) *dbus.Call {
	return conn.Object(bridgeName, bridgePath).GoWithContext(s.ctx, bridgeName+"."+method, 0, make(chan *dbus.Call, 1), args...)
}

func TestOfTwoCallsInARowTheLastCounts(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.online()
	conn := s.sessionBus()
	wrong := 0
	const times = 200
	for i := range times {
		last := []string{"open", "closed"}[i%2]
		one := s.ask(conn, "Set", "lid", []string{"closed", "open"}[i%2])
		other := s.ask(conn, "Set", "lid", last)
		s.must((<-one.Done).Err)
		s.must((<-other.Done).Err)
		var lid string
		s.must(conn.Object(bridgeName, bridgePath).StoreProperty(bridgeName+".Lid", &lid))
		if lid != last {
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d times the last of two calls did not count", wrong, times)
	}
}

func TestAnAnswerComesAfterThePropertyHasChanged(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.online()
	s.lid("open")
	conn := s.sessionBus()
	const times = 50
	signals := make(chan *dbus.Signal, 8*times)
	conn.Signal(signals)
	s.must(conn.AddMatchSignalContext(s.ctx, dbus.WithMatchSender(bridgeName), dbus.WithMatchMember("PropertiesChanged")))
	early := 0
	for i := range times {
		position := []string{"closed", "open"}[i%2]
		answer := <-s.ask(conn, "Set", "lid", position).Done
		s.must(answer.Err)
		for signal := range signals {
			if signal.Name != "org.freedesktop.DBus.Properties.PropertiesChanged" {
				continue
			}
			changed, _ := signal.Body[1].(map[string]dbus.Variant)
			if changed["Lid"].Value() != position {
				continue
			}
			if signal.Sequence > answer.ResponseSequence {
				early++
			}
			break
		}
	}
	if early > 0 {
		t.Errorf("%d of %d answers came before the property had changed", early, times)
	}
}

// The bridge learns from the user manager which targets are active. Before it knows
// that, it can hold nothing.
func TestASetWhileTheBridgeStartsIsNotLost(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.online()
	s.user(program + " set lid closed")
	s.lid("closed")
	conn := s.sessionBus()
	signals := make(chan *dbus.Signal, 1024)
	conn.Signal(signals)
	s.must(conn.AddMatchSignalContext(s.ctx, dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, bridgeName)))
	s.systemctl("restart", "--no-block", bridgeUnit)
	for signal := range signals {
		if signal.Name == "org.freedesktop.DBus.NameOwnerChanged" && signal.Body[2] != "" {
			break
		}
	}
	s.must((<-s.ask(conn, "Set", "internet", "offline").Done).Err)
	s.offline()
	s.lid("closed")
	if held := s.get("Overrides"); !strings.Contains(held, `"internet" "offline"`) || !strings.Contains(held, `"lid" "closed"`) {
		t.Errorf("held are %s", held)
	}
	s.systemctl("restart", bridgeUnit)
	s.status("lid closed (held by hand)")
	s.status("internet offline (held by hand)")
}

// Something else may start the counterpart before the bridge has heard of the end of its
// own start. That start is over then, and the bridge must not repeat it.
func TestAStartThatIsOvertakenIsNotRepeated(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.lock("unlocked")
	bridge, err := strconv.Atoi(s.systemctl("show", "--property=MainPID", "--value", bridgeUnit))
	s.must(err)
	conn := s.sessionBus()
	s.must(s.User.Signal(syscall.SIGSTOP))
	s.must(s.Login1.SetLockedHint(true))
	s.until("the bridge asks for lock.target", func() bool {
		var lock string
		s.must(conn.Object(bridgeName, bridgePath).StoreProperty(bridgeName+".Lock", &lock))
		return lock == "locked"
	})
	s.must(syscall.Kill(bridge, syscall.SIGSTOP))
	s.must(s.User.Signal(syscall.SIGCONT))
	s.expect("active", "lock.target")
	s.systemctl("start", "unlock.target")
	s.must(syscall.Kill(bridge, syscall.SIGCONT))
	s.lock("unlocked")
	s.started("lock.target", 1)
	s.started("unlock.target", 2)
}
