package bus

import (
	"errors"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
)

// serving returns a connection that owns the name, and what another sees of it.
func serving(t *testing.T) (owner *Conn, service *Service) {
	t.Helper()
	address := bustest.Start(t)
	owner = dial(t, address)
	if _, err := owner.RequestName(name, 0); err != nil {
		t.Fatal(err)
	}
	service = follow(t, dial(t, address))
	wantOwner(t, next(t, service), owner.Names()[0])
	return owner, service
}

func TestCallsAreAnsweredInTheirOrder(t *testing.T) {
	owner, service := serving(t)
	var done uint32
	owner.Serve(func(Call) ([]any, error) {
		done++
		return []any{done}, nil
	})
	const several = 500
	answers := make([]*dbus.Call, several)
	for i := range answers {
		answers[i] = service.Go(patient(t), path, iface+".Count")
	}
	var before dbus.Sequence
	for i, call := range answers {
		var counted uint32
		if err := (<-call.Done).Store(&counted); err != nil || counted != uint32(i+1) || call.ResponseSequence < before {
			t.Fatalf("call %d was answered with %d (%v)", i+1, counted, err)
		}
		before = call.ResponseSequence
	}
}

// A caller who does not wait for answers fills neither memory nor the connection.
func TestTooManyCallsAreRefused(t *testing.T) {
	owner, service := serving(t)
	goOn := make(chan struct{})
	owner.Serve(func(Call) ([]any, error) { <-goOn; return nil, nil })
	var answers []*dbus.Call
	for range waitingCalls + 10 {
		answers = append(answers, service.Go(patient(t), path, iface+".Say", "x"))
	}
	last := <-answers[len(answers)-1].Done
	var refusal dbus.Error
	if !errors.As(last.Err, &refusal) || refusal.Name != daemonName+".Error.LimitsExceeded" {
		t.Errorf("the last was answered with %v", last.Err)
	}
	close(goOn)
	if first := <-answers[0].Done; first.Err != nil {
		t.Errorf("the first was answered with %v", first.Err)
	}
}
