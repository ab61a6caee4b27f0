package bus

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/godbus/dbus/v5"
)

// systemSocket is where the D-Bus specification puts the system bus
// (https://dbus.freedesktop.org/doc/dbus-specification.html#message-bus-types-system).
const systemSocket = "/var/run/dbus/system_bus_socket"

// SystemAddress returns the address of the system bus: $DBUS_SYSTEM_BUS_ADDRESS
// if it is set, otherwise the specification's socket.
func SystemAddress() string {
	if address := os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"); address != "" {
		return address
	}
	return "unix:path=" + systemSocket
}

// SessionAddress returns the address of the session bus:
// $DBUS_SESSION_BUS_ADDRESS if it is set, otherwise the user manager's socket in
// $XDG_RUNTIME_DIR. It never starts a bus. The error names the missing or wrong variables.
func SessionAddress() (string, error) {
	if address := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); address != "" && address != "autolaunch:" {
		return address, nil
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	switch {
	case filepath.IsAbs(dir):
		return "unix:path=" + dbus.EscapeBusAddressValue(dir+"/bus"), nil
	case dir != "": // somebody else may have put a bus below the working directory
		return "", fmt.Errorf("no session bus: XDG_RUNTIME_DIR is %q, not an absolute path; %s", dir, Place())
	}
	return "", fmt.Errorf("no session bus: neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set; %s", Place())
}

// Place says where to run the program if it has no session bus or no runtime
// directory. Both are of use to their own user only, so sudo does not help.
func Place() string {
	if os.Geteuid() == 0 {
		return "run this as your own user, without sudo"
	}
	return "run this in a login session or as a user service"
}

// sockets returns the socket names in a D-Bus address, in the form that package
// net takes: a path, or "@" and an abstract name. It accepts only unix sockets:
// other transports cannot tell the bus who is calling.
func sockets(address string) ([]string, error) {
	var names []string
	var problem error
	for _, one := range strings.Split(address, ";") {
		name, err := socket(one)
		if err != nil {
			problem = err
			continue
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, problem
	}
	return names, nil
}

func socket(address string) (string, error) {
	transport, options, _ := strings.Cut(address, ":")
	if transport != "unix" {
		return "", fmt.Errorf("bus address %q: only unix: addresses are supported", address)
	}
	for _, option := range strings.Split(options, ",") {
		key, escaped, _ := strings.Cut(option, "=")
		value, err := dbus.UnescapeBusAddressValue(escaped)
		if err != nil {
			return "", fmt.Errorf("bus address %q: %w", address, err)
		}
		dir := os.Getenv("XDG_RUNTIME_DIR")
		switch {
		case strings.Contains(value, "\x00"):
			return "", fmt.Errorf("bus address %q: its %s= contains a zero byte", address, key)
		case value == "":
		case key == "path" && value[0] == '@':
			return "./" + value, nil // "@" alone would begin an abstract name
		case key == "path":
			return value, nil
		case key == "abstract":
			return "@" + value, nil
		case key == "runtime" && value == "yes" && filepath.IsAbs(dir):
			return dir + "/bus", nil
		}
	}
	return "", fmt.Errorf("bus address %q: it names neither a path= nor an abstract= socket, and no runtime=yes with XDG_RUNTIME_DIR set to an absolute path", address)
}
