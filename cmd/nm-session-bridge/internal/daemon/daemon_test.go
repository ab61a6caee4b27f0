package daemon

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const program = "github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/"

// The needs of a command must not make the daemon heavier. The daemon shares
// only this list with the commands.
func TestTheDaemonImportsNoCommand(t *testing.T) {
	imported, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(imported)) {
		room, isOurs := strings.CutPrefix(name, program+"internal/")
		if isOurs && slices.Contains([]string{"doctor", "history", "installer", "monitor", "positions", "profiles", "self", "status", "suggest", "terminal"}, room) {
			t.Errorf("it imports %s", room)
		}
	}
}

func TestOnlyRunEntersTheDaemon(t *testing.T) {
	const above = "../.."
	err := filepath.WalkDir(above, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		name, err := filepath.Rel(above, path)
		if err != nil || name == "run.go" || strings.HasPrefix(name, "internal/daemon/") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, one := range file.Imports {
			if strings.HasPrefix(strings.Trim(one.Path.Value, `"`)+"/", program+"internal/daemon/") {
				t.Errorf("%s imports %s", name, one.Path.Value)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
