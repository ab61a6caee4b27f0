package overrides

import (
	"maps"
	"os"
	"testing"
)

func TestWhatIsSavedIsLoaded(t *testing.T) {
	store := In(t.TempDir())
	for _, held := range []map[string]string{{}, {"internet": "offline", "lid": "closed"}, {"lid": "open"}, {}} {
		if err := store.Save(held); err != nil {
			t.Fatal(err)
		}
		if loaded, err := store.Load(); err != nil || !maps.Equal(loaded, held) {
			t.Errorf("saved %v, loaded %v, %v", held, loaded, err)
		}
	}
}

func TestNothingSavedIsNothingHeld(t *testing.T) {
	if held, err := In(t.TempDir()).Load(); err != nil || len(held) > 0 {
		t.Errorf("loaded %v, %v", held, err)
	}
}

func TestWhatCannotBeReadIsToldAndHoldsNothing(t *testing.T) {
	store := In(t.TempDir())
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
