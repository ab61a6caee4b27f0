package installer

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The command that removes a link is run as it stands.
func TestALeftoverIsNamedForAnyShell(t *testing.T) {
	config := filepath.Join(t.TempDir(), `it's $HOME [1] "here"`)
	link := filepath.Join(config, `systemd/user/connection@Home\x20Wifi.target.wants/sync.service`)
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/nowhere", link); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	if err := reportLeftovers(places{config: config}, []string{"connection@*.target"}, &said); err != nil {
		t.Fatal(err)
	}
	_, command, found := strings.Cut(said.String(), "remove the links: ")
	if !found {
		t.Fatalf("it said %s", said.String())
	}
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", command, err, out)
	}
	if _, err := os.Lstat(link); err == nil {
		t.Errorf("%s does not remove the link", command)
	}
}

func TestAWordOfAUnitIsQuotedAsSystemdReadsIt(t *testing.T) {
	for word, want := range map[string]string{
		"/usr/bin/mbsync": "/usr/bin/mbsync", "/home/jo/my bin/mbsync": `"/home/jo/my bin/mbsync"`,
		`/home/o'brien/a`: `"/home/o'brien/a"`, "/100%/a": "/100%%/a", `/a\b "c"/d`: `"/a\\b \"c\"/d"`,
	} {
		if got := unitWord(word); got != want {
			t.Errorf("%s became %s, not %s", word, got, want)
		}
	}
}

func TestAPathIsResolvedAsFarAsItExists(t *testing.T) {
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, "real"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(home, "alias")); err != nil {
		t.Fatal(err)
	}
	for _, rest := range []string{"", "not/there/yet"} {
		one, other := filepath.Join(home, "alias", rest), filepath.Join(home, "real", rest)
		if resolved(one) != resolved(other) || resolved(one) == resolved(home) {
			t.Errorf("%s leads to %s, and %s to %s", one, resolved(one), other, resolved(other))
		}
	}
}
