// Package scenes is played as root in the virtual laptop of integration/laptop.
package scenes

import (
	"fmt"
	"os"
	"testing"
	"os/exec"
)

func TestX(t *testing.T) {
	for _, line := range []string{"systemd-analyze", "systemd-analyze blame | head -25", "systemctl list-units --failed", "nmcli", "loginctl list-sessions", "loginctl user-status user", "cat /proc/uptime", "journalctl -b -p warning --no-pager | tail -40", "systemctl list-units --no-pager --type=service,timer,socket,mount"} {
		out, err := exec.Command("sh", "-c", line).CombinedOutput()
		fmt.Println(line, err)
		os.Stdout.Write(out)
	}
}
