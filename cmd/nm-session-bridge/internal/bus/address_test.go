package bus

import (
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/variations"
)

func TestTheSocketsOfAnAddress(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/1000")
	for address, want := range map[string][]string{
		"unix:path=/run/bus":                         {"/run/bus"},
		"unix:guid=00,path=/run/a%20b":               {"/run/a b"},
		"unix:abstract=/tmp/bus":                     {"@/tmp/bus"},
		"unix:abstract=@":                            {"@@"},
		"unix:path=@":                                {"./@"},
		"unix:runtime=yes":                           {"/run/user/1000/bus"},
		"tcp:host=localhost,port=1;unix:path=/a":     {"/a"},
		"unix:path=/a;unix:path=/b;unix:abstract=/c": {"/a", "/b", "@/c"},
		"unix:path=/a;":                              {"/a"},
	} {
		if got, err := sockets(address); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", address, got, err)
		}
	}
}

func TestTheErrorNamesAnAddressWithoutASocket(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "relative")
	for _, address := range []string{
		"", "unix:", "unix:path=", "unix:abstract=", "unix:tmpdir=/tmp", "unix:path=%2", "unix:path=/a%00b",
		"unix:runtime=yes", "unix:runtime=no", "autolaunch:", "tcp:host=localhost,port=1",
	} {
		got, err := sockets(address)
		if err == nil || len(got) > 0 || !strings.Contains(err.Error(), `"`+address+`"`) {
			t.Errorf("%s: %q, %v", address, got, err)
		}
	}
}

// FuzzAddress parses any address. Its sockets, written as an address again, parse
// to themselves.
func FuzzAddress(target *testing.F) {
	f := variations.Of(target)
	for _, address := range []string{
		"unix:path=/run/user/1000/bus", "unix:path=/var/run/dbus/system_bus_socket,guid=0af3", "unix:abstract=/tmp/dbus-x%2fy",
		"unix:runtime=yes", "tcp:host=localhost,port=1;unix:path=/a", "unix:path=", "unix:abstract=", "unix:path=/a%00b",
		"autolaunch:", ";", "unix:path=/a;unix:tmpdir=/tmp", "unix:abstract=@", "unix:path=@",
	} {
		f.Add(address)
	}
	f.Setenv("XDG_RUNTIME_DIR", "/run/user/1000")
	f.Fuzz(func(t *testing.T, address string) {
		names, err := sockets(address)
		if (err == nil) != (len(names) > 0) {
			t.Fatalf("%q, %v", names, err)
		}
		for _, name := range names {
			if name == "" || name == "@" || strings.Contains(name, "\x00") {
				t.Errorf("%q is not a socket", name)
			}
			canonical := "unix:path=" + dbus.EscapeBusAddressValue(name)
			if abstract, ok := strings.CutPrefix(name, "@"); ok {
				canonical = "unix:abstract=" + dbus.EscapeBusAddressValue(abstract)
			}
			if again, err := sockets(canonical); err != nil || !slices.Equal(again, []string{name}) {
				t.Errorf("%s stands for %q, %v", canonical, again, err)
			}
		}
	})
}
