package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// unpackBroker unpacks Debian's dbus-broker for the tests. Installed, it would
// be the machine's own bus from the next start on.
func unpackBroker() error {
	dir, err := sandbox.UnpackedBroker()
	if err != nil {
		return err
	}
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	fmt.Println("unpacking what is missing, without installing it: dbus-broker, to", dir)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), "dbus-broker-unfinished-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	download := exec.Command("apt-get", "-q", "download", "dbus-broker")
	download.Dir = work
	download.Stdout, download.Stderr = os.Stderr, os.Stderr
	if err := download.Run(); err != nil {
		return fmt.Errorf("apt-get download dbus-broker: %w; apt-get update may help", err)
	}
	found, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("apt-get download dbus-broker: it left %q: %w", found, err)
	}
	root := filepath.Join(work, "root")
	if out, err := exec.Command("dpkg-deb", "--extract", found[0], root).CombinedOutput(); err != nil {
		return fmt.Errorf("dpkg-deb --extract %s: %w: %s", found[0], err, out)
	}
	if err := os.Chmod(root, 0o755); err != nil {
		return err
	}
	return os.Rename(root, dir)
}
