package systemdctl

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"testing"
)

// The first versions recorded SHA-256.
func TestARecordOfTheFirstVersionsIsUnderstood(t *testing.T) {
	h := house{t, t.TempDir()}
	record := ""
	for _, name := range []string{"same", "changed", "gone", "dropped"} {
		sum := sha256.Sum256([]byte("the first " + name))
		record += hex.EncodeToString(sum[:]) + "  " + h.path(name) + "\n"
		if name != "gone" {
			h.write(name, "the first "+name)
		}
	}
	h.write("record", record)
	h.write("changed", "mine")
	var changed *ChangedError
	if _, err := h.open().Write(h.files("same", "changed", "gone"), false); !errors.As(err, &changed) || !slices.Equal(changed.Paths, []string{h.path("changed")}) {
		t.Fatalf("changed is the user's, and install said %v", err)
	}
	h.wants("same", "the first same")
	written, err := h.open().Write(h.files("same", "changed", "gone"), true)
	if err != nil || len(written.Kept) != 1 {
		t.Fatalf("%+v, %v", written, err)
	}
	h.wants("same", "installed same")
	h.wants("changed~", "mine")
	h.wantsNothingBut("changed", "changed~", "gone", "record", "same")
	if _, err := h.open().Write(h.files("same", "changed", "gone"), false); err != nil {
		t.Errorf("a second time: %v", err)
	}
}
