package sandbox

import (
	"testing"

	"github.com/godbus/dbus/v5"
)

func TestUnitName(t *testing.T) {
	for path, want := range map[dbus.ObjectPath]string{
		"/org/freedesktop/systemd1/unit/internet_2donline_2etarget":            "internet-online.target",
		"/org/freedesktop/systemd1/unit/connection_40caf_5cxc3_5cxa9_2etarget": `connection@caf\xc3\xa9.target`,
		"/org/freedesktop/systemd1/unit/plain":                                 "plain",
		"/org/freedesktop/systemd1/unit/end_2":                                 "end_2",
	} {
		if got := unitName(path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}
