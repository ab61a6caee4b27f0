package doctor

import (
	"os"
	"path/filepath"
	"testing"
)

// A blank in a profile's name is a backslash in that of its target, and a home may have
// brackets.
func TestFilesAreFoundWhateverTheirNames(t *testing.T) {
	const name = `connection@Home\x20Wifi.target`
	dir := filepath.Join(t.TempDir(), `jo [1]\2*`)
	dropIn := filepath.Join(dir, name+".d", "a b.conf")
	if err := os.MkdirAll(filepath.Dir(dropIn), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dropIn, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	u := user{manager: bag("UnitPath", []string{"", "/nowhere", dir})}
	one := unit{name: name, properties: bag("DropInPaths", []string{})}
	if !u.hasNewDropIn(one) {
		t.Error("a new drop-in is not seen")
	}
	one.properties = bag("DropInPaths", []string{dropIn})
	if u.hasNewDropIn(one) {
		t.Error("a drop-in that the manager knows is taken for new")
	}
}
