package cache_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/cache"
)

// keeper opens entries of one parent and counts how often one is made.
type keeper struct {
	*testing.T
	parent string
	made   int
}

func (k *keeper) entry(recipe string, fails error) cache.Entry {
	return cache.Entry{Parent: k.parent, Name: "tree", Recipe: []byte(recipe), Make: func(_ context.Context, dir string) error {
		k.made++
		return errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "recipe"), []byte(recipe), 0o644), fails)
	}}
}

func (k *keeper) open(recipe string) (dir string, release func()) {
	k.Helper()
	dir, release, err := k.entry(recipe, nil).Open(context.Background())
	if err != nil {
		k.Fatal(err)
	}
	if content, err := os.ReadFile(filepath.Join(dir, "recipe")); err != nil || string(content) != recipe {
		k.Errorf("opened %q made by %q: %v", recipe, content, err)
	}
	return dir, release
}

func (k *keeper) kept() []string {
	k.Helper()
	kept, err := filepath.Glob(filepath.Join(k.parent, "tree-*"))
	if err != nil {
		k.Fatal(err)
	}
	return kept
}

func TestWhatIsKeptIsMadeOnce(t *testing.T) {
	k := &keeper{T: t, parent: filepath.Join(t.TempDir(), "suites")}
	for range 2 {
		_, release := k.open("a")
		release()
	}
	if k.made != 1 {
		t.Errorf("made %d times", k.made)
	}
}

func TestANewRecipeReplacesWhatNobodyUses(t *testing.T) {
	k := &keeper{T: t, parent: t.TempDir()}
	used, release := k.open("a")
	_, releaseNewer := k.open("b")
	releaseNewer()
	if _, err := os.Stat(used); err != nil {
		t.Errorf("what is in use was taken away: %v", err)
	}
	release()
	newest, release := k.open("c")
	defer release()
	if kept := k.kept(); len(kept) != 1 || kept[0] != newest {
		t.Errorf("kept %q", kept)
	}
}

func TestWhatCannotBeMadeLeavesNothing(t *testing.T) {
	k := &keeper{T: t, parent: t.TempDir()}
	broken := errors.New("no network")
	if _, _, err := k.entry("a", broken).Open(context.Background()); !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
	if kept := k.kept(); len(kept) != 0 {
		t.Errorf("left %q", kept)
	}
	_, release := k.open("a")
	release()
}

func TestAnInterruptEndsTheWaitForALock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tree.lock")
	held, err := cache.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := cache.Lock(ctx, path)
		ended <- err
	}()
	interrupt()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it returned %v", err)
	}
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := cache.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}
