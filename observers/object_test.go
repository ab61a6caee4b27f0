package observers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
)

// many makes a NetworkManager name many active connections, and returns the calls
// to the first of them.
func (w *watch) many(count int) []*dbus.Call {
	w.Helper()
	w.owner(":1.1")
	return w.naming(w.called("GetAll"), count)
}

func (w *watch) naming(call *dbus.Call, count int) []*dbus.Call {
	w.Helper()
	properties := map[string]dbus.Variant{"Startup": dbus.MakeVariant(false)}
	var paths []dbus.ObjectPath
	for i := range count {
		paths = append(paths, dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/NetworkManager/ActiveConnection/%d", i)))
	}
	properties["ActiveConnections"] = dbus.MakeVariant(paths)
	bustest.Answer(call, 1, nil, properties)
	var calls []*dbus.Call
	for range min(count, atATime) {
		calls = append(calls, w.called("GetAll"))
	}
	return calls
}

func named(call *dbus.Call, number int) {
	bustest.Answer(call, dbus.Sequence(2+number), nil, map[string]dbus.Variant{"Id": dbus.MakeVariant(fmt.Sprintf("profile %d", number))})
}

func TestTheNewerListOfObjectsWins(t *testing.T) {
	w := observe(t, Connections())
	for number, call := range w.many(1) {
		named(call, number)
	}
	w.hears()
	w.observer.Reread(1)
	all := w.called("GetAll")
	list := func(count int) map[string]dbus.Variant {
		var paths []dbus.ObjectPath
		for i := range count {
			paths = append(paths, dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/NetworkManager/ActiveConnection/%d", i)))
		}
		return map[string]dbus.Variant{"ActiveConnections": dbus.MakeVariant(paths), "Startup": dbus.MakeVariant(false)}
	}
	w.changed(9, list(2))
	bustest.Answer(all, 8, nil, list(1))
	for number := range 2 {
		named(w.called("GetAll"), 9+number)
	}
	if facts := w.hears(); len(facts.Children()) != 2 {
		t.Errorf("heard of %d children", len(facts.Children()))
	}
}

func TestManyObjectsAreReadInBatches(t *testing.T) {
	const most = 128 // unanswered calls that a system bus allows
	if atATime > most/2 {
		t.Errorf("%d at a time leave too few calls for others", atATime)
	}
	w := observe(t, Connections())
	for number, call := range w.many(atATime + 3) {
		if len(w.calls) > 0 {
			t.Fatal("asked for more before all had answered")
		}
		named(call, number)
	}
	for i := range 3 {
		named(w.called("GetAll"), atATime+i)
	}
	ids := map[string]bool{}
	for _, one := range w.hears().Children() {
		id, _ := one.Text("Id")
		ids[id] = true
	}
	if len(ids) != atATime+3 {
		t.Errorf("heard of %d children: %v", len(ids), ids)
	}
}

// The pause before the next attempt doubles with each failure. Objects that fail
// together count as one failure.
func TestObjectsThatFailTogetherCountAsOneFailure(t *testing.T) {
	w := observe(t, Connections())
	calls := w.many(20)
	named(calls[0], 0)
	for _, call := range calls[1:] {
		bustest.Answer(call, 0, context.DeadlineExceeded)
	}
	again := w.called("GetAll")
	if got := w.observer.calls.backoff; got != 2*firstRetry {
		t.Errorf("the next pause would be %v", got)
	}
	for number, call := range w.naming(again, 20) {
		named(call, number)
	}
	if facts := w.hears(); len(facts.Children()) != 20 {
		t.Errorf("heard %+v", facts)
	}
}

func TestAMissingObjectIsNotWaitedFor(t *testing.T) {
	w := observe(t, Connections())
	calls := w.many(3)
	named(calls[0], 0)
	bustest.Answer(calls[1], 0, dbus.Error{Name: "org.freedesktop.DBus.Error.UnknownMethod"})
	named(calls[2], 2)
	if facts := w.hears(); len(facts.Children()) != 2 {
		t.Errorf("heard %+v", facts)
	}
}

const (
	connectionPath = "/org/freedesktop/NetworkManager/ActiveConnection/"
	devicePath     = "/org/freedesktop/NetworkManager/Devices/"
)

// deep returns a source with three levels of objects: the root, connections, and
// their devices.
func deep() Source {
	source := Connections()
	connection := activeConnection()
	connection.Links = []Link{{Property: "Devices", Kind: Kind{
		Path:         "/org/freedesktop/NetworkManager/Devices",
		Interface:    networkManagerName + ".Device",
		Properties:   map[string]string{"Ip4Connectivity": "u"},
		PollIfSilent: map[string]Need{"Ip4Connectivity": PolledOften},
		Words:        map[string]func(uint32) string{"Ip4Connectivity": func(uint32) string { return "well" }},
	}}}
	source.Root.Links[0].Kind = connection
	return source
}

func paths(prefix string, numbers ...int) dbus.Variant {
	all := []dbus.ObjectPath{}
	for _, number := range numbers {
		all = append(all, dbus.ObjectPath(fmt.Sprint(prefix, number)))
	}
	return dbus.MakeVariant(all)
}

func connectivity(value uint32) map[string]dbus.Variant {
	return map[string]dbus.Variant{"Ip4Connectivity": dbus.MakeVariant(value)}
}

// device answers the calls for a device that does not signal its property.
func (w *watch) device(sequence dbus.Sequence, value uint32) {
	w.Helper()
	bustest.Answer(w.called("Introspect"), sequence, nil, "<node/>")
	bustest.Answer(w.called("GetAll"), sequence, nil, connectivity(value))
}

// tree makes the service of a deep source name connection 1 with device 1.
func (w *watch) tree() Facts {
	w.Helper()
	w.owner(":1.1")
	bustest.Answer(w.called("GetAll"), 1, nil, map[string]dbus.Variant{"ActiveConnections": paths(connectionPath, 1)})
	bustest.Answer(w.called("GetAll"), 2, nil, map[string]dbus.Variant{"Id": dbus.MakeVariant("home"), "Devices": paths(devicePath, 1)})
	w.device(3, 4)
	return w.hears()
}

// devices returns the numbers and values of all devices in the facts of a deep
// source.
func devices(facts Facts) string {
	var words []string
	for _, connection := range facts.Children() {
		for _, device := range connection.Children() {
			value, _ := device.Uint32("Ip4Connectivity")
			words = append(words, fmt.Sprintf("%s=%d", strings.TrimPrefix(string(device.Path), devicePath), value))
		}
	}
	return strings.Join(words, " ")
}

func (w *watch) objectChanged(sequence dbus.Sequence, path, iface string, values map[string]dbus.Variant) {
	w.Helper()
	w.signal(bustest.PropertiesChanged(sequence, dbus.ObjectPath(path), iface, values))
}

func TestObjectsAreFollowedAtAnyDepth(t *testing.T) {
	source := deep()
	w := observe(t, source)
	facts := w.tree()
	if got := devices(facts); got != "1=4" {
		t.Errorf("at first: %s", got)
	}
	if got := source.Describe(facts)["NetworkManager.Devices.1.Ip4Connectivity"]; got != "well" {
		t.Errorf("described as %q in %v", got, source.Describe(facts))
	}
	device, connection := networkManagerName+".Device", networkManagerName+".Connection.Active"
	w.objectChanged(4, devicePath+"1", device, connectivity(3))
	if got := devices(w.hears()); got != "1=3" {
		t.Errorf("after a signal of the device: %s", got)
	}
	w.objectChanged(5, connectionPath+"1", connection, map[string]dbus.Variant{"Devices": paths(devicePath, 1, 2)})
	w.device(6, 2)
	if got := devices(w.hears()); got != "1=3 2=2" {
		t.Errorf("after a second device: %s", got)
	}
	w.objectChanged(7, connectionPath+"1", connection, map[string]dbus.Variant{"Devices": paths(devicePath, 2)})
	if got := devices(w.hears()); got != "2=2" {
		t.Errorf("without the first device: %s", got)
	}
	w.objectChanged(8, devicePath+"1", device, connectivity(1)) // no longer named by anything
	w.objectChanged(9, devicePath+"2", device, connectivity(1))
	if got := devices(w.hears()); got != "2=1" {
		t.Errorf("after a signal of the second device: %s", got)
	}
	w.changed(10, map[string]dbus.Variant{"ActiveConnections": paths(connectionPath)})
	if facts := w.hears(); len(facts.Children()) != 0 {
		t.Errorf("without connections: %+v", facts)
	}
}

func TestNonsenseOfAnyObjectHasEverythingReadAgain(t *testing.T) {
	w := observe(t, deep())
	w.tree()
	w.objectChanged(4, devicePath+"1", networkManagerName+".Device", map[string]dbus.Variant{"Ip4Connectivity": dbus.MakeVariant("four")})
	bustest.Answer(w.called("GetAll"), 5, nil, map[string]dbus.Variant{"ActiveConnections": paths(connectionPath, 1)})
	bustest.Answer(w.called("GetAll"), 6, nil, map[string]dbus.Variant{"Devices": paths(devicePath, 1)})
	bustest.Answer(w.called("GetAll"), 7, nil, connectivity(2))
	if got := devices(w.hears()); got != "1=2" {
		t.Errorf("heard %s", got)
	}
}

func TestASilentObjectIsPolledAtAnyDepth(t *testing.T) {
	w := observe(t, deep())
	w.tree()
	w.observer.Demand(PolledOften)
	bustest.Answer(w.called("GetAll"), 4, nil, map[string]dbus.Variant{"ActiveConnections": paths(connectionPath, 1)})
	bustest.Answer(w.called("GetAll"), 5, nil, map[string]dbus.Variant{"Devices": paths(devicePath, 1)})
	bustest.Answer(w.called("GetAll"), 6, nil, connectivity(4))
	device := w.hears().Children()[0].Children()[0]
	if !device.Polled("Ip4Connectivity") {
		t.Errorf("heard %+v", device)
	}
	get := w.called("Get")
	if get.Args[1] != "Ip4Connectivity" {
		t.Errorf("asked for %v", get.Args)
	}
	bustest.Answer(get, 7, nil, dbus.MakeVariant(uint32(1)))
	if got := devices(w.hears()); got != "1=1" {
		t.Errorf("heard %s", got)
	}
}

func TestAnObjectThatNamesTheRootIsNotFollowedForEver(t *testing.T) {
	w := observe(t, deep())
	w.owner(":1.1")
	root := dbus.MakeVariant([]dbus.ObjectPath{networkManagerPath, networkManagerPath})
	bustest.Answer(w.called("GetAll"), 1, nil, map[string]dbus.Variant{"ActiveConnections": root})
	bustest.Answer(w.called("GetAll"), 2, nil, map[string]dbus.Variant{"Devices": root})
	w.device(3, 4)
	if got := devices(w.hears()); got != networkManagerPath+"=4" {
		t.Errorf("heard %s", got)
	}
}

func TestEveryTypeOfLinkNamesObjects(t *testing.T) {
	type pair struct {
		ID   string
		Path dbus.ObjectPath
	}
	for want, value := range map[string]any{
		"/a":    dbus.ObjectPath("/a"),
		"/b /a": []dbus.ObjectPath{"/b", "/", "/a"},
		"/c":    pair{"3", "/c"},
		"/d /e": []pair{{"1", "/d"}, {"2", "/e"}, {"", "/"}},
		"":      dbus.ObjectPath("/"),
		"wrong": []string{"/a"},
	} {
		signature, body := bustest.Body(map[string]dbus.Variant{"Sessions": dbus.MakeVariant(value)})
		all, err := single[map[string]dbus.Variant](bustest.ReceiveAnswer("", signature, body))
		if err != nil {
			t.Fatal(err)
		}
		kind := Kind{Links: []Link{{Property: "Sessions"}}}
		picked, err := kind.pick(all)
		var got []string
		for _, path := range picked.paths["Sessions"] {
			got = append(got, string(path))
		}
		if (err != nil) != (want == "wrong") || err == nil && !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%v: got %v, %v", value, got, err)
		}
	}
}

// A rule that names less would wake us needlessly.
func TestMatchRulesNameSenderPathAndInterfaceOfEveryKind(t *testing.T) {
	rules := deep().Matches()
	for _, rule := range rules {
		if !strings.Contains(rule, "sender='"+networkManagerName+"'") || !strings.Contains(rule, "path") || !strings.Contains(rule, "interface='") {
			t.Errorf("%s says too little", rule)
		}
	}
	const properties = "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged',"
	text := strings.Join(rules, "\n")
	for _, kind := range []string{
		"path='/org/freedesktop/NetworkManager'," + properties + "arg0='org.freedesktop.NetworkManager'",
		"path_namespace='/org/freedesktop/NetworkManager/ActiveConnection'," + properties + "arg0='org.freedesktop.NetworkManager.Connection.Active'",
		"path_namespace='/org/freedesktop/NetworkManager/Devices'," + properties + "arg0='org.freedesktop.NetworkManager.Device'",
		"member='DeviceRemoved',arg0path='/org/freedesktop/NetworkManager/Devices/1'",
	} {
		if !strings.Contains(text, kind) {
			t.Errorf("%s is missing in %s", kind, text)
		}
	}
	if rules := strings.Join(Session().Matches(), "\n"); strings.Contains(rules, logindPath+"/session") {
		t.Errorf("sessions of other users are listened to: %s", rules)
	}
}

func TestAnObjectThatIsGoneBeforeItIsIntrospectedOrPolledIsNotWaitedFor(t *testing.T) {
	unknown := dbus.Error{Name: "org.freedesktop.DBus.Error.UnknownObject"}
	w := observe(t, deep())
	w.owner(":1.1")
	bustest.Answer(w.called("GetAll"), 1, nil, map[string]dbus.Variant{"ActiveConnections": paths(connectionPath, 1)})
	bustest.Answer(w.called("GetAll"), 2, nil, map[string]dbus.Variant{"Devices": paths(devicePath, 1, 2)})
	first, second := w.called("Introspect"), w.called("Introspect")
	bustest.Answer(first, 3, unknown)
	bustest.Answer(second, 4, nil, "<node/>")
	bustest.Answer(w.called("GetAll"), 5, nil, connectivity(4))
	if got := devices(w.hears()); got != "2=4" {
		t.Errorf("heard %s", got)
	}
	w.observer.Demand(PolledOften)
	bustest.Answer(w.called("GetAll"), 6, nil, map[string]dbus.Variant{"ActiveConnections": paths(connectionPath, 1)})
	bustest.Answer(w.called("GetAll"), 7, nil, map[string]dbus.Variant{"Devices": paths(devicePath, 2)})
	bustest.Answer(w.called("GetAll"), 8, nil, connectivity(4))
	w.hears()
	bustest.Answer(w.called("Get"), 9, unknown)
	if got := devices(w.hears()); got != "" {
		t.Errorf("heard %s", got)
	}
}
