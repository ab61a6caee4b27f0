package packaging

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const rpmlintConfig = "../../cmd/nm-session-bridge/dist/packages/rpmlint.toml"

func TestTheSameSourceMakesTheSamePackage(t *testing.T) {
	kinds := slices.Collect(maps.Values(formats()))
	for _, kind := range append(kinds, sourceArchive) {
		one, err := os.ReadFile(made(t, "older", kind))
		if err != nil {
			t.Fatal(err)
		}
		other, err := os.ReadFile(made(t, "again", kind))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(one, other) {
			t.Errorf("two *%s of the same source differ", kind)
		}
	}
}

// A distribution builds without a network, and with the modules that the archive holds.
func TestTheSourceArchiveBuildsWithoutANetwork(t *testing.T) {
	dir := t.TempDir()
	unpack := exec.Command("tar", "--extract", "--strip-components=1", "--file", made(t, "older", sourceArchive), "--directory", dir)
	if err := run(unpack); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "nm-session-bridge")
	build := exec.Command(filepath.Join(dir, "cmd/nm-session-bridge/dist/build"), program)
	build.Env = append(os.Environ(), "VERSION=1.2.3", "GOPROXY=off", "GOTOOLCHAIN=local", "GOFLAGS=", "GOMODCACHE="+t.TempDir())
	if err := run(build); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(program, "version").Output(); err != nil || !strings.HasPrefix(string(said), "nm-session-bridge 1.2.3 ") {
		t.Errorf("version prints %q (%v)", said, err)
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
