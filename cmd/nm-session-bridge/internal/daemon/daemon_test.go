package daemon

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// The needs of a command must not make the daemon heavier. The daemon shares
// only this list with the commands.
func TestTheDaemonImportsNoCommand(t *testing.T) {
	const rooms = "github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/"
	imported, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(imported)) {
		room, isOurs := strings.CutPrefix(name, rooms)
		if isOurs && slices.Contains([]string{"doctor", "history", "installer", "monitor", "positions", "profiles", "self", "status", "suggest", "terminal"}, room) {
			t.Errorf("it imports %s", room)
		}
	}
}
