package integration

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

func TestNoSystemBus(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.must(s.SystemBus.Kill(s.ctx))
	s.flags("--gone-grace=1h")
	s.install()
	s.status("waiting for the system bus at unix:path=")
	s.says("cannot reach the system bus; waiting for it")
	s.must(s.SystemBus.Start(s.ctx))
	s.status("internet unknown (NetworkManager is not running)")
	s.started(bridgeUnit, 1)
}

func TestSystemBusLost(t *testing.T) {
	s := beginOnline(t)
	s.must(s.SystemBus.Kill(s.ctx))
	s.says("lost the system bus")
	s.secondBridge()
	s.must(s.SystemBus.Start(s.ctx))
	s.must(s.NM.Restart(s.ctx))
	s.must(s.Login1.Appear(s.ctx))
	s.undisturbed()
	s.started(bridgeUnit, 2)
}

func TestNoSessionBus(t *testing.T) {
	s := begin(t, sandbox.Options{})
	out := s.fails(1, "unset DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR; "+program)
	if want := "nm-session-bridge: no session bus: neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set; run this in a login session or as a user service"; out != want {
		t.Errorf("without a session bus it says %q", out)
	}
	out = s.fails(1, "DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere "+program+" install")
	if !strings.Contains(out, "unix:path=/nowhere") || strings.Contains(out, "\n") {
		t.Errorf("without a session bus install says %q", out)
	}
	if _, err := os.Stat(sandbox.Home + "/.local/bin"); err == nil {
		t.Error("without a session bus install wrote files all the same")
	}
}

// TestSudo plays a user who thinks that all this needs root.
func TestSudo(t *testing.T) {
	s := begin(t, sandbox.Options{})
	for _, kept := range []string{"", "DBUS_SESSION_BUS_ADDRESS=unix:path=" + sandbox.SessionBus, "XDG_RUNTIME_DIR=" + sandbox.RuntimeDir} {
		for _, command := range []string{"", "install --now", "status", "set lid closed", "recipe add mail", "doctor"} {
			root := s.Command("/bin/sh", "-c", "unset DBUS_SESSION_BUS_ADDRESS XDG_RUNTIME_DIR; export HOME=/root; "+kept+" exec "+program+" "+command)
			root.SysProcAttr.Credential = nil
			out, err := root.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "run this as your own user, without sudo") || strings.Contains(string(out), "linger") {
				t.Errorf("as root with %q, %q says %q, %v", kept, command, out, err)
			}
		}
	}
}

// A relative runtime directory would lead to wherever the bridge was started, where
// others may have put a file that holds the lid closed, or a link to one of the
// user's.
func TestARuntimeDirectoryThatIsNotOne(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.must(os.MkdirAll("/tmp/shared/run/nm-session-bridge", 0o777))
	t.Cleanup(func() { _ = os.RemoveAll("/tmp/shared") })
	s.must(os.WriteFile("/tmp/shared/run/nm-session-bridge/overrides", []byte("lid closed\n"), 0o644))
	for _, directory := range []string{"", "run", "/tmp/shared/run"} { // the last is root's
		out := s.fails(1, "cd /tmp/shared && XDG_RUNTIME_DIR="+directory+" timeout 20 "+program+" run")
		if !strings.Contains(out, "XDG_RUNTIME_DIR is \""+directory+"\"") || strings.Contains(out, "\n") {
			t.Errorf("with XDG_RUNTIME_DIR=%s it says %q", directory, out)
		}
	}
	s.user("test $(systemctl --user is-active lid-closed.target) = inactive")
}

func TestNoUserManager(t *testing.T) {
	s := begin(t, sandbox.Options{})
	const address = "unix:path=" + sandbox.Home + "/lonely"
	bus := s.Command("dbus-daemon", "--session", "--nofork", "--print-address=1", "--address="+address)
	printed, err := bus.StdoutPipe()
	s.must(err)
	s.must(bus.Start())
	_, err = printed.Read(make([]byte, 1))
	s.must(err)
	bridge := s.Command(program)
	bridge.Env = append(bridge.Env, "DBUS_SESSION_BUS_ADDRESS="+address)
	log, err := bridge.StderrPipe()
	s.must(err)
	s.must(bridge.Start())
	line := make([]byte, 512)
	n, err := log.Read(line)
	s.must(err)
	if said := string(line[:n]); !strings.Contains(said, "there is no systemd user manager on the session bus; waiting for one") {
		t.Errorf("without a user manager it says %q", said)
	}
	s.must(bridge.Process.Signal(syscall.SIGTERM))
	if err := bridge.Wait(); err != nil {
		t.Errorf("SIGTERM ends it with %v", err)
	}
	s.must(bus.Process.Kill())
	_ = bus.Wait() // killed
}
