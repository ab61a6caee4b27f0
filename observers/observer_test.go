package observers

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// fakeService is a service whose answers and signals come from the test, in orders
// that are rare with a real service.
type fakeService struct {
	signals chan *dbus.Signal
	calls   chan *dbus.Call
}

func (s *fakeService) Signals() <-chan *dbus.Signal { return s.signals }

func (s *fakeService) Go(_ context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	call := &dbus.Call{Path: path, Method: method[strings.LastIndex(method, ".")+1:], Args: args, Done: make(chan *dbus.Call, 1)}
	s.calls <- call
	return call
}

func (s *fakeService) Start(context.Context) *dbus.Call {
	call := &dbus.Call{Method: "Start", Done: make(chan *dbus.Call, 1)}
	s.calls <- call
	return call
}

// watch is a running observer and the fake service that it observes.
type watch struct {
	*testing.T
	source   Source
	service  *fakeService
	facts    chan Facts
	log      *strings.Builder
	observer *Observer
}

func observe(t *testing.T, source Source) *watch {
	t.Helper()
	w := &watch{
		T: t, source: source,
		service: &fakeService{signals: make(chan *dbus.Signal), calls: make(chan *dbus.Call, 2*atATime)},
		facts:   make(chan Facts),
		log:     &strings.Builder{},
	}
	w.observer = w.newObserver()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.observer.Run(ctx, w.facts)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return w
}

func (w *watch) newObserver() *Observer {
	return New(w.source, w.service, w.service, slog.New(slog.NewTextHandler(io.Writer(w.log), nil)))
}

func (w *watch) owner(name string) {
	w.signal(&dbus.Signal{Name: nameOwnerChanged, Body: []any{w.source.Name, "", name}})
}

func (w *watch) signal(signal *dbus.Signal) {
	w.Helper()
	select {
	case w.service.signals <- signal:
	case <-time.After(time.Minute):
		w.Fatalf("%s was not taken", signal.Name)
	}
}

func (w *watch) changed(sequence dbus.Sequence, values map[string]dbus.Variant) {
	w.Helper()
	w.signal(&dbus.Signal{
		Path: w.source.Root.Path, Name: propertiesChanged, Sequence: sequence,
		Body: []any{w.source.Root.Interface, values, []string{}},
	})
}

// called waits for a call and returns it.
func (w *watch) called(method string) *dbus.Call {
	w.Helper()
	select {
	case call := <-w.service.calls:
		if call.Method != method {
			w.Fatalf("called %s, not %s", call.Method, method)
		}
		return call
	case <-time.After(time.Minute):
		w.Fatalf("%s was not called", method)
		return nil
	}
}

func answer(call *dbus.Call, sequence dbus.Sequence, err error, body ...any) {
	call.Body, call.Err, call.ResponseSequence = body, err, sequence
	call.Done <- call
}

// hears waits for facts.
func (w *watch) hears() Facts {
	w.Helper()
	select {
	case facts := <-w.facts:
		return facts
	case <-time.After(time.Minute):
		w.Fatal("no facts were sent")
		return Facts{}
	}
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
	answer(w.called("GetAll"), 1, nil, all(4, 70))
	w.hearsConnectivity(4)
}

func TestASignalNewerThanTheAnswerWins(t *testing.T) {
	w := observe(t, NetworkManager())
	w.owner(":1.1")
	call := w.called("GetAll")
	w.changed(9, map[string]dbus.Variant{"Connectivity": dbus.MakeVariant(uint32(1))})
	answer(call, 8, nil, all(4, 70))
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
			answer(w.called("GetAll"), 5, nil, all(1, 20))
			w.hearsConnectivity(1)
		})
	}
}

func TestAnOwnerWithoutObjectsIsAskedAgain(t *testing.T) {
	w := observe(t, NetworkManager())
	w.owner(":1.1")
	answer(w.called("GetAll"), 1, dbus.Error{Name: "org.freedesktop.DBus.Error.UnknownMethod"})
	answer(w.called("GetAll"), 2, nil, all(4, 70))
	w.hearsConnectivity(4)
	if w.log.Len() > 0 {
		t.Errorf("logged %s", w.log)
	}
}

func TestAServiceThatDoesNotAnswerIsAskedAgain(t *testing.T) {
	w := observe(t, NetworkManager())
	w.owner(":1.1")
	answer(w.called("GetAll"), 1, context.DeadlineExceeded)
	w.hearsProblem("NetworkManager does not answer")
	answer(w.called("GetAll"), 2, context.DeadlineExceeded)
	answer(w.called("GetAll"), 3, nil, all(4, 70))
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
			answer(w.called("GetAll"), 3, nil, all(2, 60))
			w.hearsConnectivity(2)
		})
	}
}

func TestLostSignalsHaveEverythingReadAgain(t *testing.T) {
	w := observe(t, NetworkManager())
	w.online()
	w.owner(":1.1") // the same owner again
	answer(w.called("GetAll"), 3, nil, all(2, 60))
	w.hearsConnectivity(2)
}

func TestAServiceThatIsNotRunningIsNotRead(t *testing.T) {
	w := observe(t, NetworkManager())
	w.owner("")
	w.hearsProblem("NetworkManager is not running")
	w.observer.Reread()
	w.signal(&dbus.Signal{Path: "/another"}) // once two more are taken, the loop has handled this one
	w.signal(&dbus.Signal{Path: "/another"})
	select {
	case call := <-w.service.calls:
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
	answer(w.called("GetAll"), 2, nil, all(2, 60))
	answer(old, 3, nil, all(4, 70)) // the answer of an owner that is gone
	w.hearsConnectivity(2)
}

func TestASourceOnDemandIsLeftAloneUntilItIsAsked(t *testing.T) {
	w := observe(t, UPower())
	w.owner("")
	w.hearsProblem("UPower is not asked")
	w.observer.Demand(Watched)
	start := w.called("Start")
	w.hearsProblem("UPower is being started")
	start.Done <- start
	w.owner(":1.1")
	w.hearsProblem("UPower is starting")
	answer(w.called("GetAll"), 1, nil, map[string]dbus.Variant{
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
	start := w.called("Start")
	w.hearsProblem("UPower is being started")
	start.Err = dbus.Error{Name: "org.freedesktop.systemd1.UnitMasked", Body: []any{"Unit upower.service is masked."}}
	start.Done <- start
	facts := w.hears()
	if facts.Problem != "UPower cannot be started: Unit upower.service is masked." || facts.Awaited {
		t.Errorf("heard %+v", facts)
	}
}
