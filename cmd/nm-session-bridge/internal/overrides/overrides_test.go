package overrides

import (
	"errors"
	"maps"
	"os"
	"testing"
)

func open(t *testing.T, dir string) Store {
	t.Helper()
	store, err := In(dir)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestSavedPositionsAreLoaded(t *testing.T) {
	store := open(t, t.TempDir())
	for _, held := range []map[string]string{{}, {"internet": "offline", "lid": "closed"}, {"lid": "open"}, {}} {
		if err := store.Save(held); err != nil {
			t.Fatal(err)
		}
		if loaded, err := store.Load(); err != nil || !maps.Equal(loaded, held) {
			t.Errorf("saved %v, loaded %v, %v", held, loaded, err)
		}
	}
}

func TestNoPositionBreaksTheFile(t *testing.T) {
	store := open(t, t.TempDir())
	held := map[string]string{"connection": "home\nlid closed\n\"", "internet": `"`, "power": "", "lock": "\x00\xff é"}
	if err := store.Save(held); err != nil {
		t.Fatal(err)
	}
	if loaded, err := store.Load(); err != nil || !maps.Equal(loaded, held) {
		t.Errorf("saved %q, loaded %q, %v", held, loaded, err)
	}
}

func TestAFileOfAnOlderBridgeIsRead(t *testing.T) {
	store := open(t, t.TempDir())
	if err := store.write("connection home work\nlid closed\npower \"ac\nnonsense\n"); err != nil {
		t.Fatal(err)
	}
	if held, err := store.Load(); err != nil || !maps.Equal(held, map[string]string{"connection": "home work", "lid": "closed"}) {
		t.Errorf("loaded %q, %v", held, err)
	}
}

func TestForgetLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	store := open(t, dir)
	if err := errors.Join(store.Forget(), store.Save(map[string]string{"lid": "open"}), store.Forget()); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestWithoutAFileNothingIsHeld(t *testing.T) {
	if held, err := open(t, t.TempDir()).Load(); err != nil || len(held) > 0 {
		t.Errorf("loaded %v, %v", held, err)
	}
}

func TestAnUnreadableFileIsAnErrorAndHoldsNothing(t *testing.T) {
	store := open(t, t.TempDir())
	if err := os.MkdirAll(store.path, 0o700); err != nil {
		t.Fatal(err)
	}
	if held, err := store.Load(); err == nil || len(held) > 0 {
		t.Errorf("loaded %v, %v", held, err)
	}
	if err := store.Save(nil); err == nil {
		t.Error("saved in place of a directory")
	}
}
