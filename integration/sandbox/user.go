package sandbox

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The unprivileged user of the sandbox, as in the blog post that the bridge grew out of. No
// distribution gives this number to a person, so no file of the real machine belongs to it.
const (
	User = "gemini"
	UID  = 100000 // also the group's
	Home = "/home/" + User
	// RuntimeDir is the user's XDG_RUNTIME_DIR.
	RuntimeDir = "/run/user/100000"
	// SessionBus is the path of the session bus's socket.
	SessionBus = RuntimeDir + "/bus"
)

// addUser writes the user into the sandbox's /etc.
func addUser() error {
	files := []struct {
		name, line string
		mode       os.FileMode
	}{
		{"passwd", fmt.Sprintf("%s:x:%d:%d:Gemini:%s:/bin/bash", User, UID, UID, Home), 0o644},
		{"group", fmt.Sprintf("%s:x:%d:", User, UID), 0o644},
		{"shadow", User + ":*:20000:0:99999:7:::", 0o600},
	}
	for _, file := range files {
		path := filepath.Join("/etc", file.name)
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		lines := []string{file.line}
		for _, line := range strings.Split(strings.TrimSpace(string(content)), "\n") {
			if !strings.HasPrefix(line, User+":") {
				lines = append(lines, line)
			}
		}
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), file.mode); err != nil {
			return err
		}
	}
	// The services behind the other name sources do not run here, and lookups would wait for them.
	return os.WriteFile("/etc/nsswitch.conf", []byte("passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"), 0o644)
}

// environment returns the variables that a login gives the user. Only TERM comes from the caller.
func environment() []string {
	env := []string{
		"HOME=" + Home,
		"USER=" + User,
		"LOGNAME=" + User,
		"SHELL=/bin/bash",
		"PATH=" + strings.Join(searchPath(), ":"),
		"LANG=C.UTF-8",
		"XDG_RUNTIME_DIR=" + RuntimeDir,
	}
	if term, ok := os.LookupEnv("TERM"); ok {
		env = append(env, "TERM="+term)
	}
	return env
}

func searchPath() []string {
	return []string{Home + "/.local/bin", Home + "/bin", "/usr/local/bin", "/usr/bin", "/bin"}
}

// credential returns the user's credential, without further groups.
func credential() *syscall.Credential {
	return &syscall.Credential{Uid: UID, Gid: UID}
}

// Command prepares a command of the user's login session: as the user, in its home, with the environment of
// a login. A name without a slash is looked up in the user's PATH, ~/.local/bin first.
func (sb *Sandbox) Command(name string, args ...string) *exec.Cmd {
	return sb.CommandContext(context.Background(), name, args...)
}

// CommandContext prepares a command as Command does, and kills it when the context ends.
func (sb *Sandbox) CommandContext(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, lookPath(name), args...)
	cmd.Env = append(environment(), "DBUS_SESSION_BUS_ADDRESS=unix:path="+SessionBus)
	cmd.Dir = Home
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential:  credential(),
		UseCgroupFD: true,
		CgroupFD:    int(sb.session.Fd()),
	}
	return cmd
}

// Systemctl runs systemctl --user as the user and returns what it printed, trimmed. The error of a failed
// run holds it too.
func (sb *Sandbox) Systemctl(args ...string) (string, error) {
	return output(sb.Command("systemctl", append([]string{"--user"}, args...)...))
}

// WriteFile writes a file of the user, making directories on the way. A relative name is below the
// user's home.
func (sb *Sandbox) WriteFile(name string, content []byte, mode os.FileMode) error {
	if !filepath.IsAbs(name) {
		name = filepath.Join(Home, name)
	}
	if err := makeOwnDir(filepath.Dir(name)); err != nil {
		return err
	}
	if err := os.WriteFile(name, content, mode); err != nil {
		return err
	}
	// WriteFile leaves the mode of an existing file and obeys the umask.
	if err := os.Chmod(name, mode); err != nil {
		return err
	}
	return os.Chown(name, UID, UID)
}

// makeOwnDir makes a directory and its missing parents, the user's own.
func makeOwnDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := makeOwnDir(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return os.Chown(dir, UID, UID)
}

// lookPath finds a program in the user's PATH. It returns the name of a missing program unchanged,
// so that the start fails.
func lookPath(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	for _, dir := range searchPath() {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return name
}

// dialAs connects to a Unix socket with a user's credentials. A bus identifies a client by its
// credentials at the time of the connection.
func dialAs(uid int, path string) (net.Conn, error) {
	runtime.LockOSThread()
	// The system call, unlike syscall.Setreuid, changes this thread alone.
	const keep = ^uintptr(0)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, uintptr(uid), keep); errno != 0 {
		runtime.UnlockOSThread()
		return nil, os.NewSyscallError("setresuid "+strconv.Itoa(uid), errno)
	}
	conn, err := net.Dial("unix", path)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, 0, keep); errno != 0 {
		// The thread stays locked and is thrown away with its goroutine.
		return nil, os.NewSyscallError("setresuid 0", errno)
	}
	runtime.UnlockOSThread()
	return conn, err
}
