package systemdctl

import (
	"testing"

	"github.com/godbus/dbus/v5"
)

// locked brings the reconciler to the point where a target that yields is active
// and wants a locker, which runs.
func (m *fakeManager) locked() {
	m.t.Helper()
	m.begin(isOnline)
	m.r.unit(online).yields = true
	m.r.Want(wantOnline)
	m.answer(m.wanting[0], nil, map[string]dbus.Variant{"Wants": dbus.MakeVariant([]string{"locker.service", "mine.target"})})
	m.service("active", "success")
}

// service answers what kind of service the locker is and how it is.
func (m *fakeManager) service(active, result string) {
	m.t.Helper()
	m.answer(m.wants(propertiesInterface + ".GetAll ")[0], nil, map[string]dbus.Variant{
		"ActiveState": dbus.MakeVariant(active), "Type": dbus.MakeVariant("simple"), "Result": dbus.MakeVariant(result),
	})
}

func TestALockerThatEndsWellHasDoneItsWork(t *testing.T) {
	for name, test := range map[string]struct {
		active, result string
		job            dbus.ObjectPath
		want           bool
	}{
		"well":           {"inactive", "success", "", true},
		"by a stop":      {"inactive", "success", "/job/9", false},
		"by a crash":     {"failed", "signal", "", false},
		"badly, skipped": {"inactive", "exec-condition", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newManager(t)
			m.locked()
			if test.job != "" {
				m.is("locker.service", "active", test.job)
			}
			m.is("locker.service", "deactivating", test.job)
			m.is("locker.service", test.active, "")
			if len(m.calls) > 0 {
				m.service(test.active, test.result)
			}
			if got := len(m.moved.Done) == 1; got != test.want {
				t.Errorf("done: %v", m.moved.Done)
			}
		})
	}
}
