package scenes

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// The user of the laptop. Its manager lingers: it runs since the boot.
const (
	user    = "user"
	uid     = 1000 // also the group's
	home    = "/home/" + user
	manager = "user@1000.service"
)

// account is a user whom a scene is about.
type account struct {
	name string
	uid  int // also the group's
}

func (a account) home() string       { return "/home/" + a.name }
func (a account) runtimeDir() string { return fmt.Sprint("/run/user/", a.uid) }
func (a account) sessionBus() string { return a.runtimeDir() + "/bus" }

// login ends the user's manager and everything that runs under it, and starts it
// again.
func (s *scene) login() {
	s.Helper()
	s.logout()
	s.startManager()
}

func (s *scene) startManager() {
	s.Helper()
	s.root("systemctl start " + manager)
	s.meet()
}

// meet waits until the user's manager runs, and records it from then on.
func (s *scene) meet() {
	s.Helper()
	s.until("the manager is on the session bus", func() bool {
		timeline, err := sandbox.Record(s.ctx, s.who.uid, s.who.sessionBus())
		if err == nil {
			s.follow(timeline)
		}
		return err == nil
	})
}

// logout ends the user's manager. A logind that has just started asks for the managers
// of those who linger, which would cancel the stop; once it has answered anything, it
// has done so.
func (s *scene) logout() {
	s.Helper()
	s.root("loginctl list-users && systemctl stop " + manager)
}

// newUser removes everything that an earlier scene put into the user's home.
func (s *scene) newUser() {
	s.Helper()
	s.logout()
	s.must(os.RemoveAll(home))
	s.must(os.Mkdir(home, 0o755))
	s.must(os.Chown(home, uid, uid))
	s.startManager()
}

// root runs a command line and returns its standard output, trimmed.
func (s *scene) root(line string) string {
	s.Helper()
	return s.output(exec.CommandContext(s.ctx, "/bin/sh", "-c", line))
}

// afterwards runs a command line as root when the scene is over, however it ends.
func (s *scene) afterwards(line string) {
	s.Cleanup(func() {
		if out, err := exec.Command("/bin/sh", "-c", line).CombinedOutput(); err != nil {
			s.Errorf("%s: %v: %s", line, err, out)
		}
	})
}

// user runs a command line as the user, as in a login session.
func (s *scene) user(line string) string {
	s.Helper()
	cmd := exec.CommandContext(s.ctx, "/bin/sh", "-c", line)
	cmd.Dir = s.who.home()
	cmd.Env = []string{
		"HOME=" + s.who.home(), "USER=" + s.who.name, "LOGNAME=" + s.who.name, "SHELL=/bin/sh", "LANG=C.UTF-8",
		"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
		"XDG_RUNTIME_DIR=" + s.who.runtimeDir(), "DBUS_SESSION_BUS_ADDRESS=unix:path=" + s.who.sessionBus(),
	}
	id := uint32(s.who.uid)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}}
	return s.output(cmd)
}

func (s *scene) output(cmd *exec.Cmd) string {
	s.Helper()
	out, err := cmd.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			out = append(out, failed.Stderr...)
		}
		s.Fatalf("%s: %v: %s", strings.Join(cmd.Args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (s *scene) systemctl(args ...string) string {
	s.Helper()
	return s.user("systemctl --user " + strings.Join(args, " "))
}

// install installs the bridge as a user would, from a program somewhere else.
func (s *scene) install() {
	s.Helper()
	s.Log(s.user(bridgeProgram + " install --now"))
}

// write writes a unit of the user's, or a drop-in for one.
func (s *scene) write(name, content string) {
	s.Helper()
	path := filepath.Join(s.who.home(), ".config/systemd/user", name)
	s.user("mkdir -p " + filepath.Dir(path))
	s.must(os.WriteFile(path, []byte(content), 0o644))
	s.must(os.Chown(path, s.who.uid, s.who.uid))
}

// enable writes units and enables them.
func (s *scene) enable(units map[string]string) {
	s.Helper()
	args := []string{"enable"} // this makes the manager read the new files
	for name, content := range units {
		s.write(name, content)
		args = append(args, name)
	}
	s.systemctl(args...)
}

// flags gives the bridge's service flags, as systemctl --user edit would.
func (s *scene) flags(flags string) {
	s.Helper()
	s.write("nm-session-bridge.service.d/override.conf",
		"[Service]\nExecStart=\nExecStart=%h/.local/bin/nm-session-bridge run "+flags+"\n")
}
