package overrides

import (
	"os"
	"path/filepath"
	"testing"
)

func TestARuntimeDirectoryThatIsNotOneIsRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	others := "/"
	if os.Geteuid() == 0 {
		const nobody = 65534
		others = t.TempDir()
		if err := os.Chown(others, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"", ".", "run/user/1000", "/nowhere", others} {
		if _, err := In(dir); err == nil {
			t.Errorf("%q was accepted", dir)
		}
	}
}

// Whoever may write to the directory can put links into it.
func TestLinksAreNotFollowed(t *testing.T) {
	for name, link := range map[string]string{
		"the file": "nm-session-bridge/overrides", "the next file": "nm-session-bridge/overrides.new", "the directory": "nm-session-bridge",
	} {
		t.Run(name, func(t *testing.T) {
			dir, mine := t.TempDir(), filepath.Join(t.TempDir(), "mine")
			content := []byte("lid closed\n")
			leadsTo := mine
			if name == "the directory" {
				leadsTo = filepath.Dir(mine)
				mine = filepath.Join(leadsTo, "overrides")
			} else if err := os.Mkdir(filepath.Join(dir, "nm-session-bridge"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(mine, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(leadsTo, filepath.Join(dir, link)); err != nil {
				t.Fatal(err)
			}
			store, err := In(dir)
			if err != nil {
				t.Fatal(err)
			}
			if held, _ := store.Load(); len(held) > 0 {
				t.Errorf("loaded %v", held)
			}
			if err := store.Save(map[string]string{"internet": "offline"}); err == nil {
				if held, err := store.Load(); err != nil || held["internet"] != "offline" {
					t.Errorf("saved internet offline and loaded %v, %v", held, err)
				}
			}
			_ = store.Forget()
			if now, err := os.ReadFile(mine); err != nil || string(now) != string(content) {
				t.Errorf("the file that the link leads to holds %q, %v", now, err)
			}
		})
	}
}

func TestAnotherUsersDirectoryIsNotBelieved(t *testing.T) {
	dir := t.TempDir()
	ours, err := In(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := ours.Save(map[string]string{"lid": "closed"}); err != nil {
		t.Fatal(err)
	}
	others := ours
	others.uid++
	if held, err := others.Load(); err == nil || len(held) > 0 {
		t.Errorf("loaded %v, %v", held, err)
	}
	if err := others.Save(map[string]string{"lid": "open"}); err == nil {
		t.Error("saved in another user's directory")
	}
	if held, err := ours.Load(); err != nil || held["lid"] != "closed" {
		t.Errorf("there is %v, %v", held, err)
	}
}
