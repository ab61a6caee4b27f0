package systemdctl

import (
	"context"
	"io"
	"testing"

	"github.com/godbus/dbus/v5"
)

// service is a manager that knows one service.
type service struct {
	all    map[string]dbus.Variant
	broken error
}

func (m service) Go(_ context.Context, _ dbus.ObjectPath, method string, _ ...any) *dbus.Call {
	call := &dbus.Call{Done: make(chan *dbus.Call, 1), Err: m.broken, Body: []any{m.all}}
	if method == managerInterface+".GetUnitByPID" {
		call.Body = []any{dbus.ObjectPath("/unit")}
	}
	call.Done <- call
	return call
}

func TestWhetherAServiceIsStartedAgain(t *testing.T) {
	const prevent, force, success = "RestartPreventExitStatus", "RestartForceExitStatus", "SuccessExitStatus"
	for name, test := range map[string]struct {
		restart string
		has     []string
		want    bool
	}{
		"ours":                         {"on-failure", []string{force, success}, true},
		"no policy":                    {"no", nil, false},
		"no policy, forced":            {"no", []string{force}, true},
		"forced and prevented":         {"always", []string{force, prevent}, false},
		"always":                       {"always", nil, true},
		"after failures":               {"on-failure", nil, true},
		"after failures, not this one": {"on-failure", []string{success}, false},
		"after successes":              {"on-success", nil, false},
		"after successes such as this": {"on-success", []string{success}, true},
		"after crashes":                {"on-abnormal", nil, false},
	} {
		all := map[string]dbus.Variant{"MainPID": dbus.MakeVariant(uint32(7)), "Restart": dbus.MakeVariant(test.restart)}
		for _, property := range []string{prevent, force, success} {
			all[property] = dbus.MakeVariant([]any{[]int32{2}, []int32{}})
		}
		for _, property := range test.has {
			all[property] = dbus.MakeVariant([]any{[]int32{2, 75}, []int32{}})
		}
		if got, err := StartsAgain(context.Background(), service{all: all}, 7, 75); got != test.want || err != nil {
			t.Errorf("%s: %t, %v", name, got, err)
		}
		if got, err := StartsAgain(context.Background(), service{all: all}, 8, 75); got || err != nil {
			t.Errorf("%s, a process beside it: %t, %v", name, got, err)
		}
	}
	if got, err := StartsAgain(context.Background(), service{broken: io.EOF}, 7, 75); got || err == nil {
		t.Errorf("a manager that does not answer: %t, %v", got, err)
	}
	noUnit := dbus.NewError(ManagerName+".NoUnitForPID", []any{"PID 7 does not belong to any loaded unit."})
	if got, err := StartsAgain(context.Background(), service{broken: *noUnit}, 7, 75); got || err != nil {
		t.Errorf("a process that was started by hand: %t, %v", got, err)
	}
	scope := map[string]dbus.Variant{"ActiveState": dbus.MakeVariant("active")}
	if got, err := StartsAgain(context.Background(), service{all: scope}, 7, 75); got || err != nil {
		t.Errorf("a process in a terminal's scope: %t, %v", got, err)
	}
}
