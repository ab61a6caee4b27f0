package integration

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

const (
	drive = sandbox.Home + "/Drive"

	// ssh reads it.
	driveHost = `Host drive
HostName ` + sandbox.UplinkAddress + `
IdentityFile ~/.ssh/key
UserKnownHostsFile ~/.ssh/known
`
	// sshd reads it.
	driveServer = `HostKey ` + serverDir + `/key
AuthorizedKeysFile ` + sandbox.Home + `/.ssh/key.pub
StrictModes no
UsePAM no
PidFile none
Subsystem sftp internal-sftp -d ` + serverDir + `/drive
`
)

// The real sshfs mounts a directory of a real sshd.
func TestDriveIsMountedWhileOnline(t *testing.T) {
	const unit = "drive.service"
	s := beginWithPrograms(t, sandbox.Options{})
	s.online()
	s.must(os.Mkdir("/run/sshd", 0o755)) // sshd wants it

	// Containers lack it.
	if err := unix.Mknod("/dev/fuse", unix.S_IFCHR|0o666, int(unix.Mkdev(10, 229))); err == nil {
		s.must(os.Chmod("/dev/fuse", 0o666))
		s.Cleanup(func() { s.must(os.Remove("/dev/fuse")) })
	} else if !errors.Is(err, unix.EEXIST) {
		s.Fatal(err)
	}
	s.write(serverDir+"/sshd.conf", driveServer)
	s.write(serverDir+"/drive/letter", "hello\n")
	s.write(serverDir+"/drive/unread", "hello\n")
	s.write(sandbox.Home+"/.ssh/config", driveHost)
	s.user("ssh-keygen -q -t ed25519 -N '' -f .ssh/key && ssh-keygen -q -t ed25519 -N '' -f " + serverDir + "/key")
	s.user("echo " + sandbox.UplinkAddress + " $(cat " + serverDir + "/key.pub) >.ssh/known")
	s.serve("Server listening", "/usr/sbin/sshd", "-D", "-e", "-f", serverDir+"/sshd.conf")
	s.follows("drive", "REMOTE=drive:")
	s.wantDrive("hello")

	// It goes while somebody uses it.
	user := s.Command("sleep", "infinity")
	user.Dir = drive
	s.must(user.Start())
	defer func() { _ = user.Wait() }() // killed
	defer func() { _ = user.Process.Kill() }()
	s.unplug()
	s.expect("inactive", unit)
	s.wantNoDrive()
	s.refused(unit)
	s.wantNoDrive()
	s.plug()
	s.expect("active", unit)
	s.wantDrive("hello")

	// It goes while somebody waits for an answer that never comes.
	s.user("pkill --signal STOP --full '^sshd(-session)?: " + sandbox.User + "@'")
	reader := s.Command("cat", drive+"/unread")
	s.must(reader.Start())
	s.awaitRequest()
	s.unplug()
	s.expect("inactive", unit)
	if err := reader.Wait(); err == nil {
		s.Error("somebody has read what the server never sent")
	}
	s.wantNoDrive()

	// It comes back after a crash.
	s.plug()
	s.expect("active", unit)
	s.write(".config/systemd/user/"+unit+".d/soon.conf", "[Service]\nRestartSec=100ms\n")
	s.systemctl("daemon-reload")
	s.started(unit, 3)
	s.systemctl("kill", "--signal=KILL", unit)
	s.started(unit, 4)
	s.expect("active", unit)
	s.wantDrive("hello")
}

// wantDrive checks that the drive is mounted.
func (s *scene) wantDrive(letter string) {
	s.Helper()
	if got := s.user("cat " + drive + "/letter"); got != letter {
		s.Errorf("the letter on the drive is %q, not %q", got, letter)
	}
}

// wantNoDrive checks that the drive is an empty directory, which can be read at once.
func (s *scene) wantNoDrive() {
	s.Helper()
	if out := s.user("timeout 30 ls -A " + drive); out != "" {
		s.Errorf("the drive still has %s", out)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	s.must(err)
	if strings.Contains(string(mounts), drive) {
		s.Errorf("the drive is still mounted:\n%s", mounts)
	}
}

// awaitRequest waits until a program waits for an answer of a FUSE file system.
func (s *scene) awaitRequest() {
	s.Helper()
	const control = serverDir + "/fusectl"
	s.must(os.MkdirAll(control, 0o755))
	s.must(unix.Mount("fusectl", control, "fusectl", 0, ""))
	defer func() { s.must(unix.Unmount(control, 0)) }()
	out, err := exec.CommandContext(s.ctx, "sh", "-c", "until cat "+control+"/*/waiting | grep -v '^0$'; do sleep 0.1; done").CombinedOutput()
	if err != nil {
		s.Fatalf("nobody waits for the drive: %v: %s", err, out)
	}
}
