package scenes

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"
)

const (
	logindName    = "org.freedesktop.login1"
	logindPath    = dbus.ObjectPath("/org/freedesktop/login1")
	logindManager = "org.freedesktop.login1.Manager"
	logindConfig  = "/run/systemd/logind.conf.d/scene.conf"
)

// signalsLid reports whether this logind signals the lid, as systemd 256 and
// newer do.
func (s *scene) signalsLid() bool {
	s.Helper()
	fields := strings.Fields(s.root("systemctl --version")) // systemd 257 (…)
	version, err := strconv.Atoi(fields[1])
	s.must(err)
	return version >= 256
}

// move moves the lid, to "open" or "closed". It returns when logind knows. logind
// may act a moment later, which some scenes test.
func (s *scene) move(position string) {
	s.Helper()
	s.touch(position)
	s.until("logind knows that the lid is "+position, func() bool {
		return s.lidIsClosed() == (position == "closed")
	})
}

// touch moves the lid and waits for nothing.
func (s *scene) touch(position string) {
	s.Helper()
	s.must(os.WriteFile("/run/lid", []byte(position+"\n"), 0o600))
}

func (s *scene) lidIsClosed() bool {
	s.Helper()
	conn, err := dbus.ConnectSystemBus()
	s.must(err)
	defer conn.Close()
	var isClosed bool
	s.must(conn.Object(logindName, logindPath).StoreProperty(logindManager+".LidClosed", &isClosed))
	return isClosed
}

// suspendWithLid makes logind suspend the laptop when the lid closes, until the
// end of the scene. more has further lines of logind's configuration.
func (s *scene) suspendWithLid(more string) {
	s.Helper()
	s.configureLogind("HandleLidSwitch=suspend\n" + more)
}

// configureLogind gives logind lines of configuration until the end of the scene.
func (s *scene) configureLogind(lines string) {
	s.Helper()
	s.must(os.MkdirAll(filepath.Dir(logindConfig), 0o755))
	s.must(os.WriteFile(logindConfig, []byte("[Login]\n"+lines), 0o644))
	s.root("systemctl restart systemd-logind")
	s.afterwards("rm " + logindConfig + " && systemctl restart systemd-logind")
}

// slept returns how often the laptop has slept.
func (s *scene) slept() int {
	s.Helper()
	content, err := os.ReadFile("/sys/power/suspend_stats/success")
	s.must(err)
	count, err := strconv.Atoi(strings.TrimSpace(string(content)))
	s.must(err)
	return count
}

// oneLock waits until the user's bridge holds a lock that delays sleep, and checks
// that the bridge holds no other.
func (s *scene) oneLock() {
	s.Helper()
	s.oneLockOn("sleep")
}

// oneLockOn is like oneLock, for "sleep" or "shutdown".
func (s *scene) oneLockOn(what string) {
	s.Helper()
	conn, err := dbus.ConnectSystemBus()
	s.must(err)
	defer conn.Close()
	var ours []inhibitor
	s.until("the bridge holds a lock", func() bool {
		var all []inhibitor
		call := conn.Object(logindName, logindPath).CallWithContext(s.ctx, logindManager+".ListInhibitors", 0)
		s.must(call.Store(&all))
		ours = nil
		for _, i := range all {
			if i.Who == "nm-session-bridge" && i.What == what && i.UID == uint32(s.who.uid) {
				ours = append(ours, i)
			}
		}
		return len(ours) > 0
	})
	if len(ours) != 1 || ours[0].Mode != "delay" {
		s.Errorf("the locks of the bridge on %s are %+v", what, ours)
	}
}

// inhibitor is a lock as logind lists it.
type inhibitor struct {
	What, Who, Why, Mode string
	UID, PID             uint32
}
