package observers

import (
	"encoding/xml"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
	"github.com/nm-session-bridge/nm-session-bridge/integration/variations"
)

// Others decide what services send, so these targets try anything. The fuzzer found
// the seeds in testdata, or they were recorded from real services.

func anySource(which byte) Source {
	sources := []Source{NetworkManager(), Logind(), UPower()}
	return sources[int(which)%len(sources)]
}

// truth returns properties that a service might really have. Two successive turns
// differ in every property.
func truth(source Source, turn int) map[string]any {
	values := map[string]any{}
	for name, signature := range source.Root.Properties {
		switch signature {
		case "u":
			values[name] = uint32(50 + turn)
		case "t":
			values[name] = uint64(5000000 + turn)
		case "s":
			values[name] = strings.Repeat("a", turn)
		default:
			values[name] = turn%2 == 1
		}
	}
	return values
}

// unlike returns a truth that differs from the heard values in every property.
func unlike(source Source, heard map[string]any) map[string]any {
	values := truth(source, 2)
	for name, value := range heard {
		switch value := value.(type) {
		case uint32:
			values[name] = value + 1
		case uint64:
			values[name] = value + 1
		case string:
			values[name] = value + "a"
		case bool:
			values[name] = !value
		}
	}
	return values
}

func variants(values map[string]any) map[string]dbus.Variant {
	all := map[string]dbus.Variant{}
	for name, value := range values {
		all[name] = dbus.MakeVariant(value)
	}
	return all
}

// appear makes the service appear and returns the following call for all
// properties.
func (w *watch) appear() *dbus.Call {
	w.Helper()
	w.owner(":1.1")
	if w.source.OnDemand {
		w.hearsProblem(w.source.Label + " is not asked")
		w.observer.Demand(Watched)
	}
	return w.readAll()
}

func (w *watch) readAll() *dbus.Call {
	w.Helper()
	call := w.anyCall()
	if call.Method == "Introspect" {
		bustest.Answer(call, 1, nil, `<node/>`)
		call = w.anyCall()
	}
	if call.Method != "GetAll" {
		w.Fatalf("called %s", call.Method)
	}
	return call
}

// settle returns the facts that are sent until the observer has nothing left to do.
func (w *watch) settle() []Facts {
	var heard []Facts
	for {
		select {
		case facts := <-w.facts:
			heard = append(heard, facts)
		case w.service.Sent <- &dbus.Signal{Path: "/another"}:
			return heard
		}
	}
}

// tell answers a call and returns the facts that are then sent.
func (w *watch) tell(call *dbus.Call, sequence dbus.Sequence, err error, body ...any) []Facts {
	bustest.Answer(call, sequence, err, body...)
	for len(call.Done) > 0 {
		runtime.Gosched()
	}
	return w.settle()
}

func (w *watch) readsAgain() bool {
	select {
	case call := <-w.calls:
		if call.Method != "GetAll" && call.Method != "Introspect" {
			w.Errorf("called %s", call.Method)
		}
		w.calls <- call // it must still be answered
		return true
	default:
		return false
	}
}

// recovers checks that the truth replaces whatever was heard, once it is read.
func (w *watch) recovers(heard map[string]any) {
	w.Helper()
	if !w.readsAgain() {
		w.observer.Reread(1)
	}
	want := unlike(w.source, heard)
	facts := w.tell(w.readAll(), 100, nil, variants(want))
	if len(facts) != 1 || facts[0].Problem != "" || !maps.Equal(facts[0].values, want) {
		w.Errorf("after %v the service said %v, but heard was %v", heard, want, facts)
	}
}

// said returns a map's values of the properties of interest, and reports whether it
// makes sense: each must have the right type.
func said(source Source, all map[string]dbus.Variant) (values map[string]any, sense bool) {
	values = map[string]any{}
	for name, signature := range source.Root.Properties {
		content, ok := all[name]
		if !ok {
			continue
		}
		value := content.Value()
		switch value.(type) {
		case uint32:
			sense = signature == "u"
		case uint64:
			sense = signature == "t"
		case string:
			sense = signature == "s"
		case bool:
			sense = signature == "b"
		default:
			sense = false
		}
		if !sense {
			return nil, false
		}
		values[name] = value
	}
	return values, true
}

// saidChanged does the same for the body of a PropertiesChanged signal.
func saidChanged(source Source, body []any) (values map[string]any, sense bool) {
	if len(body) != 3 {
		return nil, false
	}
	iface, isString := body[0].(string)
	changed, isMap := body[1].(map[string]dbus.Variant)
	invalidated, isList := body[2].([]string)
	if !isString || !isMap || !isList {
		return nil, false
	}
	if iface != source.Root.Interface {
		return nil, true
	}
	for name := range source.Root.Properties {
		if slices.Contains(invalidated, name) {
			return nil, false
		}
	}
	return said(source, changed)
}

// isQuitting reports whether a device goes down because NetworkManager quits.
func isQuitting(body []any) bool {
	return len(body) == 3 && body[0] == uint32(110) && body[2] == uint32(3)
}

// FuzzSignal makes a known service send a signal with any content.
func FuzzSignal(target *testing.F) {
	f := variations.Of(target)
	const changed, turns, farewell, other = 0, 1, 2, 3
	origin := func(source Source, kind byte) (path dbus.ObjectPath, iface, member string) {
		switch kind % 4 {
		case changed:
			return source.Root.Path, propertiesInterface, "PropertiesChanged"
		case turns:
			if names := source.Root.RereadOn; len(names) > 0 {
				return source.Root.Path, source.Root.Interface, names[int(kind/4)%len(names)]
			}
			return source.Root.Path, source.Root.Interface, ""
		case farewell:
			if n := len(source.Farewells); n > 0 {
				one := source.Farewells[int(kind/4)%n]
				return one.From, one.Interface, one.Member
			}
		}
		return source.Root.Path, source.Root.Interface, "StateChanged"
	}
	add := func(which, kind byte, values ...any) {
		signature, body := bustest.Body(values...)
		f.Add(which, kind, signature, body)
	}
	for which := range byte(3) {
		source := anySource(which)
		add(which, changed, source.Root.Interface, variants(truth(source, 1)), []string{})
		add(which, changed, source.Root.Interface, variants(truth(anySource(which+1), 1)), []string{"Version"})
		add(which, changed, "org.example", variants(truth(source, 1)), []string{})
		for name := range source.Root.Properties {
			add(which, changed, source.Root.Interface, map[string]dbus.Variant{}, []string{name})
			for _, value := range []any{"4", int32(4), uint64(4), uint32(4), true, []uint32{4}, struct{ A, B uint32 }{4, 4}, dbus.MakeVariant(uint32(4))} {
				add(which, changed, source.Root.Interface, map[string]dbus.Variant{name: dbus.MakeVariant(value)}, []string{})
			}
		}
		add(which, turns, true)
		if len(source.Farewells) > 0 {
			add(which, farewell, source.Farewells[0].Body...)
			add(which, farewell+4, uint32(110), uint32(100), uint32(3))
			add(which, farewell+4, uint32(110), uint32(100), uint32(39)) // as the user wanted
			add(which, farewell+4, uint32(110), uint32(100), "3")
		}
	}
	add(0, farewell, "/org/freedesktop/NetworkManager/Devices/1") // a string
	f.Add(byte(0), byte(changed), strings.Repeat("a", 32)+"y", []byte{0, 0, 0, 0})
	f.Add(byte(0), byte(changed), strings.Repeat("(", 32)+"y"+strings.Repeat(")", 32), []byte{0})
	f.Fuzz(func(t *testing.T, which, kind byte, signature string, body []byte) {
		source := anySource(which)
		path, iface, member := origin(source, kind)
		signal := bustest.ReceiveSignal(path, iface, member, signature, body)
		if signal == nil {
			return
		}
		w := observe(t, source)
		known := truth(source, 0)
		w.tell(w.appear(), 2, nil, variants(known))

		signal.Sequence = 3
		w.signal(signal)
		heard, reads := w.settle(), w.readsAgain()

		want, wantsReading, wantsProblem := maps.Clone(known), kind%4 == turns, ""
		switch kind % 4 {
		case changed:
			news, sense := saidChanged(source, signal.Body)
			maps.Copy(want, news)
			wantsReading = !sense
		case farewell:
			if member == "DeviceRemoved" && reflect.DeepEqual(signal.Body, source.Farewells[0].Body) ||
				iface != source.Root.Interface && isQuitting(signal.Body) {
				wantsProblem = source.Label + " is stopping"
			}
		}
		if reads != wantsReading {
			t.Errorf("read again: %t, not %t", reads, wantsReading)
		}
		switch {
		case wantsProblem != "":
			if len(heard) != 1 || heard[0].Problem != wantsProblem || len(heard[0].values) > 0 {
				t.Errorf("heard %+v", heard)
			}
		case kind%4 == turns && len(signal.Body) == 1 && signal.Body[0] == true: // a request
			if len(heard) != 1 || heard[0].Request(member) != signal.Sequence || !maps.Equal(heard[0].values, known) {
				t.Errorf("heard %+v of a request", heard)
			}
		case maps.Equal(want, known):
			if len(heard) > 0 {
				t.Errorf("heard %+v, though nothing has changed", heard)
			}
		case len(heard) != 1 || heard[0].Problem != "" || !maps.Equal(heard[0].values, want):
			t.Errorf("heard %+v, not %v", heard, want)
		}
		w.recovers(want)
	})
}

// FuzzProperties makes a service answer anything when all properties are read, for
// the first time or again.
func FuzzProperties(target *testing.F) {
	f := variations.Of(target)
	for which := range byte(3) {
		for _, values := range []any{
			variants(truth(anySource(which), 1)), variants(truth(anySource(which+1), 1)),
			map[string]dbus.Variant{},
			map[string]uint32{"State": 70},
			[]string{"State"},
			uint32(70),
		} {
			signature, body := bustest.Body(values)
			f.Add(which, true, "", signature, body)
			f.Add(which, false, "", signature, body)
		}
		signature, body := bustest.Body("No such object")
		f.Add(which, false, "org.freedesktop.DBus.Error.UnknownObject", signature, body)
		f.Add(which, false, "org.freedesktop.DBus.Error.AccessDenied", signature, body)
	}
	f.Fuzz(func(t *testing.T, which byte, known bool, errorName, signature string, body []byte) {
		source := anySource(which)
		answer := bustest.ReceiveAnswer(errorName, signature, body)
		if answer == nil {
			return
		}
		w := observe(t, source)
		call := w.appear()
		last := map[string]any{}
		if known {
			last = truth(source, 0)
			w.tell(call, 2, nil, variants(last))
			w.observer.Reread(1)
			call = w.readAll()
		}
		heard := w.tell(call, 3, answer.Err, answer.Body...)

		var all map[string]dbus.Variant
		if len(answer.Body) == 1 {
			all, _ = answer.Body[0].(map[string]dbus.Variant)
		}
		news, sense := said(source, all)
		want := maps.Clone(last)
		maps.Copy(want, news)
		switch {
		case !sense, len(news) == 0:
			for _, facts := range heard {
				if known || facts.Problem != source.Label+" does not answer" || len(facts.values) > 0 {
					t.Errorf("heard %+v", facts)
				}
			}
		case len(heard) != 1 || heard[0].Problem != "" || !maps.Equal(heard[0].values, want):
			t.Errorf("heard %+v, not %v", heard, want)
		}
		w.recovers(want)
	})
}

// FuzzPolled makes logind answer anything when only the lid is polled.
func FuzzPolled(target *testing.F) {
	f := variations.Of(target)
	for _, value := range []any{dbus.MakeVariant(true), true, "true", dbus.MakeVariant(uint32(1)), dbus.MakeVariant(dbus.MakeVariant(true))} {
		signature, body := bustest.Body(value)
		f.Add("", signature, body)
		f.Add("org.freedesktop.DBus.Error.UnknownObject", signature, body)
	}
	f.Fuzz(func(t *testing.T, errorName, signature string, body []byte) {
		answer := bustest.ReceiveAnswer(errorName, signature, body)
		if answer == nil {
			return
		}
		source := Logind()
		o := newWatch(t, source).observer
		o.owner = ":1.1"
		known := truth(source, 0)
		for name, value := range known {
			o.root.set(name, value, 1)
		}
		o.root.isKnown, o.root.isDue = true, false
		answer.ResponseSequence = 2
		o.takePolled(t.Context(), property{o.root, "LidClosed"}, answer)
		facts, areFit := o.facts()
		want := maps.Clone(known)
		if len(answer.Body) == 1 {
			if lid, ok := answer.Body[0].(dbus.Variant); ok && lid.Signature().String() == "b" {
				want["LidClosed"] = lid.Value()
				if !areFit || !maps.Equal(facts.values, want) {
					t.Errorf("heard %+v (%t), not %v", facts, areFit, want)
				}
				return
			}
		}
		if !maps.Equal(facts.values, known) {
			t.Errorf("heard %+v (%t)", facts, areFit)
		}
		if !o.calls.retry.Stop() || !o.calls.areFailing() {
			t.Error("it is not tried again")
		}
	})
}

// FuzzLinks makes NetworkManager name anything as its active connections.
func FuzzLinks(target *testing.F) {
	f := variations.Of(target)
	for _, value := range []any{
		[]dbus.ObjectPath{"/org/freedesktop/NetworkManager/ActiveConnection/1", "/"},
		dbus.ObjectPath("/a"),
		struct {
			ID   string
			Path dbus.ObjectPath
		}{"3", "/a"},
		[]string{"/a"},
		uint32(1), dbus.MakeVariant(dbus.ObjectPath("/a")),
	} {
		signature, body := bustest.Body(map[string]dbus.Variant{"ActiveConnections": dbus.MakeVariant(value)})
		f.Add(signature, body)
	}
	f.Fuzz(func(t *testing.T, signature string, body []byte) {
		answer := bustest.ReceiveAnswer("", signature, body)
		if answer == nil {
			return
		}
		all, err := single[map[string]dbus.Variant](answer)
		if err != nil {
			return
		}
		source := Connections()
		picked, err := source.Root.pick(all)
		value, isTold := all["ActiveConnections"]
		paths, isPicked := picked.paths["ActiveConnections"]
		if isPicked != (isTold && err == nil) || slices.Contains(paths, "/") {
			t.Errorf("picked %v of %v (%v)", picked, value, err)
		}
		root := newObject(&source.Root, source.Root.Path)
		root.take(picked, 1)
		if due := len(root.named()); due != len(slices.Compact(slices.Sorted(slices.Values(paths)))) {
			t.Errorf("%d objects are named by %v", due, paths)
		}
	})
}

// described is the part of introspection data that matters here.
type described struct {
	XMLName    xml.Name             `xml:"node"`
	Interfaces []describedInterface `xml:"interface"`
}

type describedInterface struct {
	Name        string                `xml:"name,attr"`
	Annotations []describedAnnotation `xml:"annotation"`
	Methods     []struct {
		Name        string                `xml:"name,attr"`
		Annotations []describedAnnotation `xml:"annotation"`
	} `xml:"method"`
	Properties []struct {
		Name        string                `xml:"name,attr"`
		Annotations []describedAnnotation `xml:"annotation"`
	} `xml:"property"`
}

type describedAnnotation struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

// FuzzIntrospection compares what is read from introspection data with what the
// document says.
func FuzzIntrospection(target *testing.F) {
	f := variations.Of(target)
	f.Add(silentLid)
	f.Add("")
	f.Add("<node/>")
	f.Add(`<!DOCTYPE node><node><interface name="org.example"><property name="LidClosed"/></interface><!-- -->
<interface name="org.freedesktop.login1.Manager"><annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="false"/>
<method name="Inhibit"><arg name="fd"/><annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="true"/></method><property name="LidClosed" type="b"/>
<property name="A"><annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="const"/></property></interface></node>`)
	const manager = "org.freedesktop.login1.Manager"
	f.Fuzz(func(t *testing.T, data string) {
		_, _ = EmitsChangedSignal(data, manager) // whatever it says
		var node described
		if xml.Unmarshal([]byte(data), &node) != nil {
			return
		}
		// It is written again, with only the parts that we know.
		node.XMLName = xml.Name{Local: "node"}
		clean, err := xml.Marshal(node)
		if err != nil {
			return
		}
		got, err := EmitsChangedSignal(string(clean), manager)
		if err != nil {
			t.Fatalf("%s: %v", clean, err)
		}
		want := map[string]string{}
		for _, i := range node.Interfaces {
			if i.Name != manager {
				continue
			}
			inherited := annotated(i.Annotations, "true")
			for _, p := range i.Properties {
				want[p.Name] = annotated(p.Annotations, inherited)
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%s: %v, not %v", clean, got, want)
		}
	})
}

func annotated(annotations []describedAnnotation, value string) string {
	for _, a := range annotations {
		if a.Name == emitsChangedAnnotation {
			value = a.Value
		}
	}
	return value
}
