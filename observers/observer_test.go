package observers

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
)

// watch is an observer and the service that it observes.
type watch struct {
	*testing.T
	source   Source
	service  *bustest.Service
	calls    chan *dbus.Call
	facts    chan Facts
	log      *strings.Builder
	observer *Observer
}

// newWatch returns an observer that does not run.
func newWatch(t *testing.T, source Source) *watch {
	t.Helper()
	w := &watch{T: t, source: source, calls: make(chan *dbus.Call, 2*atATime), facts: make(chan Facts), log: &strings.Builder{}}
	w.service = bustest.NewService(func(call *dbus.Call) {
		call.Method = call.Method[strings.LastIndex(call.Method, ".")+1:]
		w.calls <- call
	})
	w.observer = New(NewFilter(source), w.service, w.service, slog.New(slog.NewTextHandler(w.log, nil)))
	return w
}

// observe returns an observer that runs.
func observe(t *testing.T, source Source) *watch {
	t.Helper()
	w := newWatch(t, source)
	w.run()
	return w
}

func (w *watch) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.observer.Run(ctx, w.facts)
	}()
	w.Cleanup(func() { cancel(); <-done })
}

func (w *watch) owner(name string) {
	w.Helper()
	w.signal(bustest.OwnerChanged(w.source.Name, name))
}

func (w *watch) signal(signal *dbus.Signal) {
	w.Helper()
	w.service.Send(w, signal)
}

func (w *watch) changed(sequence dbus.Sequence, values map[string]dbus.Variant) {
	w.Helper()
	w.signal(bustest.PropertiesChanged(sequence, w.source.Root.Path, w.source.Root.Interface, values))
}

// called waits for a call and returns it.
func (w *watch) called(method string) *dbus.Call {
	w.Helper()
	call := w.anyCall()
	if call.Method != method {
		w.Fatalf("called %s, not %s", call.Method, method)
	}
	return call
}

func (w *watch) anyCall() *dbus.Call {
	w.Helper()
	return bustest.Next(w, w.calls, "a call")
}

// hears waits for facts.
func (w *watch) hears() Facts {
	w.Helper()
	return bustest.Next(w, w.facts, "the news of facts")
}

func (w *watch) hearsProblem(words string) {
	w.Helper()
	if facts := w.hears(); facts.Problem != words {
		w.Fatalf("heard %+v, want the problem %q", facts, words)
	}
}

func (w *watch) hearsConnectivity(want uint32) {
	w.Helper()
	if facts := w.hears(); facts.Problem != "" || facts.values["Connectivity"] != want {
		w.Fatalf("heard %+v, want connectivity %d", facts, want)
	}
}

func all(connectivity, state uint32) map[string]dbus.Variant {
	return map[string]dbus.Variant{
		"Connectivity": dbus.MakeVariant(connectivity),
		"State":        dbus.MakeVariant(state),
		"Startup":      dbus.MakeVariant(false),
		"Version":      dbus.MakeVariant("1.52"),
	}
}

// online makes a NetworkManager known.
func (w *watch) online() {
	w.Helper()
	w.owner(":1.1")
	bustest.Answer(w.called("GetAll"), 1, nil, all(4, 70))
	w.hearsConnectivity(4)
}

func TestASignalNewerThanTheAnswerWins(t *testing.T) {
	w := observe(t, NetworkManager())
	w.owner(":1.1")
	call := w.called("GetAll")
	w.changed(9, map[string]dbus.Variant{"Connectivity": dbus.MakeVariant(uint32(1))})
	bustest.Answer(call, 8, nil, all(4, 70))
	w.hearsConnectivity(1)
}

func TestSignalsAfterAFarewellAreNotBelieved(t *testing.T) {
	removed := func(device string) *dbus.Signal {
		return &dbus.Signal{
			Path: networkManagerPath, Name: networkManagerInterface + ".DeviceRemoved",
			Body: []any{dbus.ObjectPath(networkManagerPath + "/Devices/" + device)},
		}
	}
	// NetworkManager 1.58 was seen to signal this about a Wi-Fi device.
	deactivating := func(reason uint32) *dbus.Signal {
		return &dbus.Signal{
			Path: networkManagerPath + "/Devices/3", Name: networkManagerInterface + ".Device.StateChanged",
			Body: []any{uint32(110), uint32(100), reason},
		}
	}
	for name, signals := range map[string]struct{ farewell, none *dbus.Signal }{
		"loopback goes":           {removed("1"), removed("7")},
		"Wi-Fi goes for no user":  {deactivating(3), deactivating(39)},
		"a device goes, no other": {deactivating(3), &dbus.Signal{Path: networkManagerPath + "/Devices3", Name: deactivating(3).Name, Body: deactivating(3).Body}},
	} {
		t.Run(name, func(t *testing.T) {
			w := observe(t, NetworkManager())
			w.online()
			w.signal(signals.none)
			w.changed(2, map[string]dbus.Variant{"State": dbus.MakeVariant(uint32(60))})
			w.hearsConnectivity(4)
			w.signal(signals.farewell)
			w.hearsProblem("NetworkManager is stopping")
			w.changed(3, map[string]dbus.Variant{"Connectivity": dbus.MakeVariant(uint32(1))})
			w.owner("")
			w.hearsProblem("NetworkManager is not running")
			w.owner(":1.2")
			w.hearsProblem("NetworkManager is starting")
			bustest.Answer(w.called("GetAll"), 5, nil, all(1, 20))
			w.hearsConnectivity(1)
		})
	}
}

func TestAnOwnerWithoutObjectsIsAskedAgain(t *testing.T) {
	w := observe(t, NetworkManager())
	w.owner(":1.1")
	bustest.Answer(w.called("GetAll"), 1, dbus.Error{Name: "org.freedesktop.DBus.Error.UnknownMethod"})
	bustest.Answer(w.called("GetAll"), 2, nil, all(4, 70))
	w.hearsConnectivity(4)
	if w.log.Len() > 0 {
		t.Errorf("logged %s", w.log)
	}
}

func TestAServiceThatDoesNotAnswerIsAskedAgain(t *testing.T) {
	w := observe(t, NetworkManager())
	w.owner(":1.1")
	bustest.Answer(w.called("GetAll"), 1, context.DeadlineExceeded)
	w.hearsProblem("NetworkManager does not answer")
	bustest.Answer(w.called("GetAll"), 2, context.DeadlineExceeded)
	bustest.Answer(w.called("GetAll"), 3, nil, all(4, 70))
	w.hearsConnectivity(4)
}

func TestNonsenseHasEverythingReadAgain(t *testing.T) {
	for name, body := range map[string][]any{
		"wrong type":     {networkManagerInterface, map[string]dbus.Variant{"Connectivity": dbus.MakeVariant("four")}, []string{}},
		"invalidated":    {networkManagerInterface, map[string]dbus.Variant{}, []string{"State"}},
		"no body":        {},
		"a number first": {uint32(1), map[string]dbus.Variant{}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := observe(t, NetworkManager())
			w.online()
			w.signal(&dbus.Signal{Path: w.source.Root.Path, Name: propertiesChanged, Body: body, Sequence: 2})
			bustest.Answer(w.called("GetAll"), 3, nil, all(2, 60))
			w.hearsConnectivity(2)
		})
	}
}

func TestLostSignalsHaveEverythingReadAgain(t *testing.T) {
	w := observe(t, NetworkManager())
	w.online()
	w.owner(":1.1") // the same owner again
	bustest.Answer(w.called("GetAll"), 3, nil, all(2, 60))
	w.hearsConnectivity(2)
}

// The facts say which request they answer, once everything has been read.
func TestARequestToReadAgainIsFulfilledOnceEverythingIsRead(t *testing.T) {
	w := observe(t, NetworkManager())
	w.online()
	w.observer.Reread(1)
	first := w.called("GetAll")
	w.owner(":1.1") // signals were lost
	bustest.Answer(first, 3, nil, all(2, 60))
	if facts := w.hears(); facts.Reread != 0 {
		t.Errorf("request %d is fulfilled before everything has been read again", facts.Reread)
	}
	bustest.Answer(w.called("GetAll"), 4, nil, all(2, 60))
	if facts := w.hears(); facts.Reread != 1 {
		t.Errorf("request %d is fulfilled", facts.Reread)
	}
}

func TestAServiceThatIsNotRunningIsNotRead(t *testing.T) {
	w := observe(t, NetworkManager())
	w.owner("")
	w.hearsProblem("NetworkManager is not running")
	w.observer.Reread(1)
	if facts := w.hears(); facts.Reread != 1 || facts.Problem == "" {
		t.Errorf("heard %+v", facts)
	}
	w.signal(&dbus.Signal{Path: "/another"}) // once two more are taken, the loop has handled this one
	w.signal(&dbus.Signal{Path: "/another"})
	select {
	case call := <-w.calls:
		t.Errorf("called %s", call.Method)
	case facts := <-w.facts:
		t.Errorf("heard %+v", facts)
	default:
	}
}

func TestANewOwnerIsRead(t *testing.T) {
	w := observe(t, NetworkManager())
	w.owner(":1.1")
	old := w.called("GetAll")
	w.owner(":1.2")
	bustest.Answer(w.called("GetAll"), 2, nil, all(2, 60))
	bustest.Answer(old, 3, nil, all(4, 70)) // the answer of an owner that is gone
	w.hearsConnectivity(2)
}

func TestASourceOnDemandIsLeftAloneUntilItIsAsked(t *testing.T) {
	w := observe(t, UPower())
	w.owner("")
	w.hearsProblem("UPower is not asked")
	w.observer.Demand(Watched)
	start := w.called("StartServiceByName")
	w.hearsProblem("UPower is being started")
	start.Done <- start
	w.owner(":1.1")
	w.hearsProblem("UPower is starting")
	bustest.Answer(w.called("GetAll"), 1, nil, map[string]dbus.Variant{
		"LidIsClosed": dbus.MakeVariant(true), "LidIsPresent": dbus.MakeVariant(true),
	})
	if closed, known := w.hears().Bool("LidIsClosed"); !known || !closed {
		t.Errorf("closed %t, known %t", closed, known)
	}
	w.observer.Demand(Dormant)
	w.hearsProblem("UPower is not asked")
}

func TestASourceThatCannotBeStartedSaysWhy(t *testing.T) {
	w := observe(t, UPower())
	w.owner("")
	w.hearsProblem("UPower is not asked")
	w.observer.Demand(Watched)
	start := w.called("StartServiceByName")
	w.hearsProblem("UPower is being started")
	start.Err = dbus.Error{Name: "org.freedesktop.systemd1.UnitMasked", Body: []any{"Unit upower.service is masked."}}
	start.Done <- start
	facts := w.hears()
	if facts.Problem != "UPower cannot be started: Unit upower.service is masked." || facts.Awaited {
		t.Errorf("heard %+v", facts)
	}
}
