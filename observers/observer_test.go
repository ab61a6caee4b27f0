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

// fakeService is a service whose every answer and signal the test says, in
// orders that a real one seldom has.
type fakeService struct {
	signals chan *dbus.Signal
	calls   chan *dbus.Call
}

func (s *fakeService) Signals() <-chan *dbus.Signal { return s.signals }

func (s *fakeService) Go(_ context.Context, _ dbus.ObjectPath, method string, args ...any) *dbus.Call {
	call := &dbus.Call{Method: method[strings.LastIndex(method, ".")+1:], Args: args, Done: make(chan *dbus.Call, 1)}
	s.calls <- call
	return call
}

func (s *fakeService) Start(context.Context) *dbus.Call {
	call := &dbus.Call{Method: "Start", Done: make(chan *dbus.Call, 1)}
	s.calls <- call
	return call
}

// watch is a running observer of NetworkManager or logind.
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
		Path: w.source.Path, Name: propertiesChanged, Sequence: sequence,
		Body: []any{w.source.Interface, values, []string{}},
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

// online brings a NetworkManager to where it is known.
func (w *watch) online() {
	w.Helper()
	w.owner(":1.1")
	answer(w.called("GetAll"), 1, nil, all(4, 70))
	w.hearsConnectivity(4)
}

func TestASignalThatIsNewerThanTheAnswerWins(t *testing.T) {
	w := observe(t, NetworkManager())
	w.owner(":1.1")
	call := w.called("GetAll")
	w.changed(9, map[string]dbus.Variant{"Connectivity": dbus.MakeVariant(uint32(1))})
	answer(call, 8, nil, all(4, 70))
	w.hearsConnectivity(1)
}

func TestWhatANetworkManagerSaysAfterItsFarewellIsNotBelieved(t *testing.T) {
	removed := func(device string) *dbus.Signal {
		return &dbus.Signal{
			Path: networkManagerPath, Name: networkManagerInterface + ".DeviceRemoved",
			Body: []any{dbus.ObjectPath(networkManagerPath + "/Devices/" + device)},
		}
	}
	// As NetworkManager 1.58 was seen to signal it of a Wi-Fi.
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

func TestNonsenseIsReadAnew(t *testing.T) {
	for name, body := range map[string][]any{
		"wrong type":     {networkManagerInterface, map[string]dbus.Variant{"Connectivity": dbus.MakeVariant("four")}, []string{}},
		"invalidated":    {networkManagerInterface, map[string]dbus.Variant{}, []string{"State"}},
		"no body":        {},
		"a number first": {uint32(1), map[string]dbus.Variant{}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := observe(t, NetworkManager())
			w.online()
			w.signal(&dbus.Signal{Path: w.source.Path, Name: propertiesChanged, Body: body, Sequence: 2})
			answer(w.called("GetAll"), 3, nil, all(2, 60))
			w.hearsConnectivity(2)
		})
	}
}

func TestLostSignalsAreReadAnew(t *testing.T) {
	w := observe(t, NetworkManager())
	w.online()
	w.owner(":1.1") // named once more
	answer(w.called("GetAll"), 3, nil, all(2, 60))
	w.hearsConnectivity(2)
}

func TestAServiceThatDoesNotRunIsNotRead(t *testing.T) {
	w := observe(t, NetworkManager())
	w.owner("")
	w.hearsProblem("NetworkManager is not running")
	w.observer.Reread()
	w.signal(&dbus.Signal{Path: "/another"}) // two more, and the loop has come round
	w.signal(&dbus.Signal{Path: "/another"})
	select {
	case call := <-w.service.calls:
		t.Errorf("called %s", call.Method)
	case facts := <-w.facts:
		t.Errorf("heard %+v", facts)
	default:
	}
}

func TestAnotherOwnerIsReadAnew(t *testing.T) {
	w := observe(t, NetworkManager())
	w.owner(":1.1")
	old := w.called("GetAll")
	w.owner(":1.2")
	answer(w.called("GetAll"), 2, nil, all(2, 60))
	answer(old, 3, nil, all(4, 70)) // of an owner that is gone
	w.hearsConnectivity(2)
}

func TestALogindIsAskedWhatItSignals(t *testing.T) {
	w := observe(t, Logind())
	w.owner(":1.1")
	answer(w.called("Introspect"), 1, nil, silentLid)
	answer(w.called("GetAll"), 2, nil, lidClosed(true))
	if facts := w.hears(); facts.Keeps("LidClosed") || facts.Polled("LidClosed") {
		t.Errorf("heard %+v", facts)
	}
}

const silentLid = `<node><interface name="org.freedesktop.login1.Manager"><property name="LidClosed">
<annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="false"/></property></interface></node>`

func lidClosed(closed bool) map[string]dbus.Variant {
	return map[string]dbus.Variant{
		"LidClosed": dbus.MakeVariant(closed), "PreparingForSleep": dbus.MakeVariant(false), "OnExternalPower": dbus.MakeVariant(true),
	}
}

func TestWhatALogindDoesNotHaveIsNotPolled(t *testing.T) {
	w := observe(t, Logind())
	w.owner(":1.1")
	answer(w.called("Introspect"), 1, nil, silentLid)
	without := lidClosed(false)
	delete(without, "OnExternalPower")
	answer(w.called("GetAll"), 2, nil, without)
	w.hears()
	w.observer.Demand(PolledOften)
	answer(w.called("GetAll"), 3, nil, without)
	if facts := w.hears(); !facts.Polled("LidClosed") || facts.Polled("OnExternalPower") || !facts.Serve(PolledOften) {
		t.Errorf("heard %+v", facts)
	}
}

func TestALogindThatIsPolledIsAskedAgainAndAgain(t *testing.T) {
	w := observe(t, Logind())
	w.owner(":1.1")
	answer(w.called("Introspect"), 1, nil, silentLid)
	answer(w.called("GetAll"), 2, nil, lidClosed(false))
	w.hears()
	w.observer.Demand(PolledOften)
	// The lid may have moved since it was read.
	answer(w.called("GetAll"), 3, nil, lidClosed(true))
	facts := w.hears()
	if closed, _ := facts.Bool("LidClosed"); !closed || !facts.Polled("LidClosed") || !facts.Polled("OnExternalPower") {
		t.Errorf("heard %+v", facts)
	}
	get := w.called("Get")
	if get.Args[1] != "LidClosed" {
		t.Errorf("asked for %v", get.Args[1])
	}
	answer(get, 4, nil, dbus.MakeVariant(false))
	if closed, known := w.hears().Bool("LidClosed"); !known || closed {
		t.Errorf("closed %t, known %t", closed, known)
	}
}

func TestThePowerIsPolledMoreSeldomThanTheLid(t *testing.T) {
	for _, test := range []struct {
		need Need
		want string // what is read in each of ten turns: of the lid and of the power
	}{
		{PolledOften, "l l l l lp l l l l lp"},
		{Polled, "p p p p p p p p p p"},
	} {
		w := &watch{T: t, source: Logind(), service: &fakeService{calls: make(chan *dbus.Call, 1)}, log: &strings.Builder{}}
		o := w.newObserver()
		o.retry = time.NewTimer(time.Hour)
		o.retry.Stop()
		o.owner, o.checked, o.need, o.silent = ":1.1", true, test.need, []string{"LidClosed", "OnExternalPower"}
		all := &dbus.Call{Body: []any{lidClosed(false)}}
		o.takeAll(t.Context(), all)
		var turns []string
		for range 10 {
			o.startPolling(t.Context())
			asked := ""
			for o.isReading() {
				call := <-w.service.calls
				asked += map[any]string{"LidClosed": "l", "OnExternalPower": "p"}[call.Args[1]]
				call.Body = []any{dbus.MakeVariant(true)}
				take := o.asked[0].take
				o.stopReading()
				take(t.Context(), call)
			}
			turns = append(turns, asked)
		}
		if got := strings.Join(turns, " "); got != test.want {
			t.Errorf("for need %d %q was read, not %q", test.need, got, test.want)
		}
	}
}

func TestAReadingThatHasFailedIsNotOvertakenByAPoll(t *testing.T) {
	w := &watch{T: t, source: Logind(), service: &fakeService{calls: make(chan *dbus.Call, 1)}, log: &strings.Builder{}}
	o := w.newObserver()
	o.retry = time.NewTimer(time.Hour)
	o.owner, o.checked, o.need, o.silent = ":1.1", true, PolledOften, []string{"LidClosed"}
	o.takeAll(t.Context(), &dbus.Call{Body: []any{lidClosed(false)}})
	o.readingFailed(context.DeadlineExceeded)
	o.startPolling(t.Context())
	if o.isReading() || !o.retry.Stop() {
		t.Error("the reading is not tried again")
	}
	o.takeAll(t.Context(), &dbus.Call{Body: []any{lidClosed(false)}})
	o.startPolling(t.Context())
	if !o.isReading() {
		t.Error("it is not polled any more")
	}
}

func TestALogindIsReadAnewWhenTheMachineTurnsToSleep(t *testing.T) {
	w := observe(t, Logind())
	w.owner(":1.1")
	answer(w.called("Introspect"), 1, nil, silentLid)
	answer(w.called("GetAll"), 2, nil, lidClosed(false))
	w.hears()
	w.signal(&dbus.Signal{Path: w.source.Path, Name: w.source.Interface + ".PrepareForSleep", Body: []any{true}})
	answer(w.called("GetAll"), 3, nil, lidClosed(true))
	if closed, known := w.hears().Bool("LidClosed"); !known || !closed {
		t.Errorf("closed %t, known %t", closed, known)
	}
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
