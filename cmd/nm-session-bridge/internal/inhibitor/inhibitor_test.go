package inhibitor

import (
	"errors"
	"testing"

	"github.com/godbus/dbus/v5"
)

func TestOnlyADescriptorIsALock(t *testing.T) {
	if fd, err := descriptor(&dbus.Call{Body: []any{dbus.UnixFD(7)}}); err != nil || fd != 7 {
		t.Errorf("%d, %v", fd, err)
	}
	for _, body := range [][]any{{}, {uint32(2)}, {dbus.UnixFDIndex(0)}, {dbus.UnixFD(7), dbus.UnixFD(8)}, {dbus.MakeVariant(dbus.UnixFD(7))}} {
		if fd, err := descriptor(&dbus.Call{Body: body}); err == nil {
			t.Errorf("%v: %d", body, fd)
		}
	}
	refusal := errors.New("refused")
	if _, err := descriptor(&dbus.Call{Err: refusal}); !errors.Is(err, refusal) {
		t.Error(err)
	}
}
