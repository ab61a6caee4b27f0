package packaging

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const rpmlintConfig = "../../cmd/nm-session-bridge/dist/packages/rpmlint.toml"

func TestTheSameSourceMakesTheSamePackage(t *testing.T) {
	for format := range formats() {
		one, err := os.ReadFile(packaged(t, format, "older"))
		if err != nil {
			t.Fatal(err)
		}
		other, err := os.ReadFile(packaged(t, format, "again"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(one, other) {
			t.Errorf("two packages for %s of the same source differ", format)
		}
	}
}

func TestTheDistributionsOwnChecksAreQuiet(t *testing.T) {
	r := newRoot(t) // rpmlint unpacks what nfpm makes over the machine's own files
	r.take(packaged(t, "deb", "older"), "/run/bridge.deb", 0o644)
	rpm := "/run/" + filepath.Base(packaged(t, "rpm", "older"))
	r.take(packaged(t, "rpm", "older"), rpm, 0o644)
	r.take(rpmlintConfig, "/run/rpmlint.toml", 0o644)
	if said := r.do("lintian", "--allow-root", "--display-info", "--fail-on=error,warning,info", "/run/bridge.deb"); said != "" {
		t.Errorf("lintian says:\n%s", said)
	}
	said := r.do("rpmlint", "--config", "/run/rpmlint.toml", rpm)
	if !strings.Contains(said, "packages: 1") || !strings.Contains(said, " 0 errors, 0 warnings,") {
		t.Errorf("rpmlint says:\n%s", said)
	}
}
