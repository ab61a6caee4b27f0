package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// sudo stands in for the real one in a sandbox: it is this program under that name, which
// belongs to root and takes on root's rights. It asks for no password.
const sudo = "sudo"

// beSudo runs the command line as root, if this program was called as sudo.
func beSudo() {
	if filepath.Base(os.Args[0]) != sudo {
		return
	}
	path, err := exec.LookPath(os.Args[1])
	if err == nil {
		err = syscall.Setgid(0)
	}
	if err == nil {
		err = syscall.Setuid(0)
	}
	if err == nil {
		err = syscall.Exec(path, os.Args[1:], os.Environ())
	}
	fmt.Fprintln(os.Stderr, "sudo:", err)
	os.Exit(1)
}

// giveSudo puts sudo, and stand-ins for other programs, where the user finds them.
func (s *scene) giveSudo(programs map[string]string) {
	s.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	s.must(err)
	s.standIn(programs)
	path := filepath.Join("/usr/local/bin", sudo)
	s.must(os.WriteFile(path, self, 0o755))
	s.must(os.Chmod(path, 0o755|os.ModeSetuid))
}
