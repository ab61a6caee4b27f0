package integration

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

const (
	bridgeName      = "org.nmsessionbridge.Bridge1"
	bridgePath      = "/org/nmsessionbridge/Bridge1"
	bridgeInterface = "../cmd/nm-session-bridge/dist/org.nmsessionbridge.Bridge1.xml"
)

// get reads a property of the bridge as a user would.
func (s *scene) get(property string) string {
	s.Helper()
	return s.user("busctl --user get-property " + bridgeName + " " + bridgePath + " " + bridgeName + " " + property)
}

func TestTheBridgeSaysOnTheBusHowThingsStand(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.online()
	if got := s.get("Internet"); got != `s "online"` {
		t.Errorf("Internet is %s", got)
	}
	if got := s.get("Lid"); got != `s "open"` {
		t.Errorf("Lid is %s", got)
	}
	facts := s.get("Facts")
	for _, fact := range []string{
		`"NetworkManager.Connectivity" "Full"`, `"NetworkManager.State" "ConnectedGlobal"`, `"NetworkManager.ConnectivityCheckEnabled" "true"`,
		`"logind.LidClosed" "false"`, `"lid.source" "from logind"`, `"sleep.lock" "held"`, `"internet.reason" "Connectivity=Full`, `"internet.since" "20`,
	} {
		if !strings.Contains(facts, fact) {
			t.Errorf("the facts lack %s: %s", fact, facts)
		}
	}
	if tree := s.user("busctl --user tree " + bridgeName + " --list"); !strings.Contains(tree, bridgePath) {
		t.Errorf("busctl tree says %s", tree)
	}
	s.user("busctl --user introspect " + bridgeName + " " + bridgePath)
	for line, words := range map[string]string{
		"call " + bridgeName + " " + bridgePath + " " + bridgeName + " Set ss internet maybe": "online, offline, portal",
		"call " + bridgeName + " " + bridgePath + " " + bridgeName + " Set ss net offline":    strings.Join(observers.Table().Names(), ", "),
		"call " + bridgeName + " " + bridgePath + " " + bridgeName + " Set s internet":        `"ss"`,
		"call " + bridgeName + " " + bridgePath + " " + bridgeName + " Reset s net":           strings.Join(observers.Table().Names(), ", "),
		"get-property " + bridgeName + " " + bridgePath + " " + bridgeName + " Net":           "Internet",
		"set-property " + bridgeName + " " + bridgePath + " " + bridgeName + " Lid s closed":  "read-only",
		"call " + bridgeName + " " + bridgePath + " " + bridgeName + " Fly":                   "Fly",
		"call " + bridgeName + " /elsewhere " + bridgeName + " Reset s lid":                   "/elsewhere",
	} {
		if out := s.fails(1, "busctl --user "+line); !strings.Contains(out, words) {
			t.Errorf("busctl %s said %q, without %q", line, out, words)
		}
	}
}

func TestCallsWithOtherArgumentsAreRefused(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.online()
	conn := s.sessionBus()
	const properties = "org.freedesktop.DBus.Properties"
	deep := dbus.MakeVariant("x")
	for range 60 {
		deep = dbus.MakeVariant(deep)
	}
	for _, call := range []struct {
		path      dbus.ObjectPath
		method    string
		arguments []any
		want      string
	}{
		{bridgePath, bridgeName + ".Set", []any{"lid", "open", int32(3)}, "InvalidArgs"},
		{bridgePath, bridgeName + ".Set", []any{"lid", "open", "now"}, "InvalidArgs"},
		{bridgePath, bridgeName + ".Set", []any{int32(1), int32(3)}, "InvalidArgs"},
		{bridgePath, bridgeName + ".Set", []any{[]string{"lid"}}, "InvalidArgs"},
		{bridgePath, bridgeName + ".Set", []any{"connection", strings.Repeat("home ", 20_000)}, "InvalidArgs"},
		{bridgePath, bridgeName + ".Reset", []any{dbus.MakeVariant("lid")}, "InvalidArgs"},
		{bridgePath, bridgeName + ".Reset", []any{deep}, "InvalidArgs"},
		{bridgePath, properties + ".Get", []any{bridgeName, int32(1)}, "InvalidArgs"},
		{bridgePath, bridgeName + ".Fly", []any{int32(1)}, "UnknownMethod"},
		{"/elsewhere", bridgeName + ".Set", []any{int32(1)}, "NoSuchObject"},
	} {
		err := conn.Object(bridgeName, call.path).CallWithContext(s.ctx, call.method, 0, call.arguments...).Err
		var refusal dbus.Error
		if !errors.As(err, &refusal) || refusal.Name != "org.freedesktop.DBus.Error."+call.want {
			t.Errorf("%s with the signature %q: %v, %+v, not %s", call.method, dbus.SignatureOf(call.arguments...), err, refusal.Name, call.want)
		}
	}
	s.user("busctl --user call --expect-reply=no " + bridgeName + " " + bridgePath + " " + bridgeName + " Set ssi lid closed 3")
	if got := s.get("Lid"); got != `s "open"` {
		t.Errorf("Lid is %s", got)
	}
	s.started(bridgeUnit, 1)
}

func TestTheDescriptionOnTheBusIsTheCommittedOne(t *testing.T) {
	s := begin(t, sandbox.Options{Unplugged: true})
	s.install()
	conn := s.sessionBus()
	var data string
	s.must(conn.Object(bridgeName, bridgePath).CallWithContext(s.ctx, "org.freedesktop.DBus.Introspectable.Introspect", 0).Store(&data))
	committed, err := os.ReadFile(bridgeInterface)
	s.must(err)
	if data != string(committed) {
		t.Errorf("the bridge describes itself as\n%s", data)
	}
	var node introspect.Node
	s.must(xml.Unmarshal(committed, &node))
	described := map[string]string{}
	for _, property := range node.Interfaces[0].Properties {
		described[property.Name] = property.Type
	}
	var served struct {
		Data []map[string]struct{ Type string }
	}
	out := s.user("busctl --user --json=short call " + bridgeName + " " + bridgePath + " org.freedesktop.DBus.Properties GetAll s " + bridgeName)
	s.must(json.Unmarshal([]byte(out), &served))
	for name, value := range served.Data[0] {
		if described[name] != value.Type {
			t.Errorf("%s of type %s is described as %q", name, value.Type, described[name])
		}
		delete(described, name)
	}
	if len(described) > 0 {
		t.Errorf("described, but not there: %v", described)
	}
}

func TestTransitionsAreSignalled(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.install()
	s.online()
	s.lid("open")
	conn := s.sessionBus()
	signals := make(chan *dbus.Signal, 64)
	conn.Signal(signals)
	s.must(conn.AddMatchSignalContext(s.ctx, dbus.WithMatchSender(bridgeName)))
	s.must(s.Login1.SetLid(true))
	var lid any
	for signal := range signals {
		switch signal.Name {
		case "org.freedesktop.DBus.Properties.PropertiesChanged":
			changed, _ := signal.Body[1].(map[string]dbus.Variant)
			if position, moved := changed["Lid"]; moved {
				lid = position.Value()
			}
		case bridgeName + ".Transitioned":
			if want := []any{"lid", "open", "closed", "LidClosed=true"}; !slices.Equal(signal.Body, want) {
				t.Errorf("signalled %v, not %v", signal.Body, want)
			}
			if lid != "closed" {
				t.Errorf("the property was %v by then", lid)
			}
			return
		}
	}
	t.Fatal("the session bus has gone")
}
