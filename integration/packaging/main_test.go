// Package packaging tests the packages with their distributions' own tools, each in its own
// root.
package packaging

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/needs"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// packagesVariable names a directory with packages that the script build made beforehand.
const packagesVariable = "PACKAGES"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "systemctl" {
		os.Exit(standIn(os.Args[1:]))
	}
	os.Exit(play(m))
}

func play(m *testing.M) int {
	err := needs.Check(needs.Checks())
	if err == nil && sandbox.Outside() && os.Geteuid() == 0 && os.Getenv(packagesVariable) == "" {
		return playAgain()
	}
	if err == nil {
		err = sandbox.Enter("")
	}
	if errors.Is(err, sandbox.ErrNotRoot) {
		sandbox.TellLeftOut("what package managers do with the packages, in integration/packaging/")
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// playAgain builds the packages, which takes the network, and runs this program again.
func playAgain() int {
	dir, err := os.MkdirTemp("", "nm-session-bridge-packages-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = os.Setenv(packagesVariable, dir)
	}
	if err == nil {
		err = run(exec.Command("./build", dir))
	}
	if err == nil {
		cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		err = cmd.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, out)
	}
	return nil
}

// formats are the names of nfpm's packagers, with what their files end in.
func formats() map[string]string {
	return map[string]string{"deb": ".deb", "rpm": ".rpm", "archlinux": ".pkg.tar.zst"}
}

// sourceArchive is what the source archive's file ends in.
const sourceArchive = ".tar.gz"

// packaged returns a package of one of the folders that the script build makes.
func packaged(t *testing.T, format, folder string) string {
	t.Helper()
	return made(t, folder, formats()[format])
}

// made returns the one file of a folder that ends like this.
func made(t *testing.T, folder, end string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(os.Getenv(packagesVariable), folder, "*"+end))
	if err != nil || len(found) != 1 {
		t.Fatalf("the *%s of %s are %v (%v)", end, folder, found, err)
	}
	return found[0]
}
