package observers

import (
	"context"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
)

func TestAMissingPropertyIsNotPolled(t *testing.T) {
	w := observe(t, Logind())
	w.owner(":1.1")
	bustest.Answer(w.called("Introspect"), 1, nil, silentLid)
	without := lidClosed(false)
	delete(without, "OnExternalPower")
	bustest.Answer(w.called("GetAll"), 2, nil, without)
	w.hears()
	w.observer.Demand(PolledOften)
	bustest.Answer(w.called("GetAll"), 3, nil, without)
	if facts := w.hears(); !facts.Polled("LidClosed") || facts.Polled("OnExternalPower") || !facts.Satisfies(PolledOften) {
		t.Errorf("heard %+v", facts)
	}
}

func TestASilentPropertyIsPolled(t *testing.T) {
	w := observe(t, Logind())
	w.owner(":1.1")
	bustest.Answer(w.called("Introspect"), 1, nil, silentLid)
	bustest.Answer(w.called("GetAll"), 2, nil, lidClosed(false))
	w.hears()
	w.observer.Demand(PolledOften)
	// The lid may have moved since it was read.
	bustest.Answer(w.called("GetAll"), 3, nil, lidClosed(true))
	facts := w.hears()
	if closed, _ := facts.Bool("LidClosed"); !closed || !facts.Polled("LidClosed") || !facts.Polled("OnExternalPower") {
		t.Errorf("heard %+v", facts)
	}
	get := w.called("Get")
	if get.Args[1] != "LidClosed" {
		t.Errorf("asked for %v", get.Args[1])
	}
	bustest.Answer(get, 4, nil, dbus.MakeVariant(false))
	if closed, known := w.hears().Bool("LidClosed"); !known || closed {
		t.Errorf("closed %t, known %t", closed, known)
	}
}

func TestPowerIsPolledLessOftenThanTheLid(t *testing.T) {
	for _, test := range []struct {
		need Need
		want string // the properties read in each of ten turns: lid, power
	}{
		{PolledOften, "l l l l lp l l l l lp"},
		{Polled, "p p p p p p p p p p"},
	} {
		w := newWatch(t, Logind())
		o := w.observer
		o.owner, o.need = ":1.1", test.need
		o.polling.demand(test.need)
		o.root.isIntrospected, o.root.silent = true, []string{"LidClosed", "OnExternalPower"}
		all := &dbus.Call{Body: []any{lidClosed(false)}}
		o.takeAll(t.Context(), o.root, all)
		var turns []string
		for range 10 {
			o.poll(t.Context())
			asked := ""
			for o.calls.areUnderWay() {
				call := <-w.calls
				asked += map[any]string{"LidClosed": "l", "OnExternalPower": "p"}[call.Args[1]]
				call.Body = []any{dbus.MakeVariant(true)}
				o.calls.take(t.Context(), call)
			}
			turns = append(turns, asked)
		}
		if got := strings.Join(turns, " "); got != test.want {
			t.Errorf("for need %d %q was read, not %q", test.need, got, test.want)
		}
	}
}

func TestAPollDoesNotOvertakeAFailedReading(t *testing.T) {
	o := newWatch(t, Logind()).observer
	o.owner, o.need = ":1.1", PolledOften
	o.polling.demand(PolledOften)
	o.root.isIntrospected, o.root.silent = true, []string{"LidClosed"}
	o.takeAll(t.Context(), o.root, &dbus.Call{Body: []any{lidClosed(false)}})
	o.readingFailed(context.DeadlineExceeded)
	o.poll(t.Context())
	if o.calls.areUnderWay() || !o.calls.retry.Stop() {
		t.Error("the reading is not tried again")
	}
	o.calls.abandon()
	o.takeAll(t.Context(), o.root, &dbus.Call{Body: []any{lidClosed(false)}})
	o.poll(t.Context())
	if !o.calls.areUnderWay() {
		t.Error("it is not polled any more")
	}
}
