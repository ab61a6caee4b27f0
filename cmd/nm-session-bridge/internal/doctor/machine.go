package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/profiles"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// machine is what the services on the system bus answered.
type machine struct {
	address string
	problem problem // why there is no system bus
	cause   error   // of the problem
	// owned are the names on the bus, activatable the names that it can start.
	owned, activatable []string
	networkManager     answer
	login1, upower     answer
	links              []link
	// profiles are the names of NetworkManager's profiles. Other names can be compared with
	// them only if all are known.
	profiles      []string
	knowsProfiles bool
	// sessions are the user's graphical sessions.
	sessions []properties
	// lidSignalled reports whether logind signals changes of LidClosed.
	lidSignalled bool
}

// answer is a service's properties, or the reason why there are none.
type answer struct {
	properties
	err error
}

func askMachine(ctx context.Context) machine {
	m := machine{address: bus.SystemAddress()}
	conn, err := bus.Connect(ctx, m.address)
	if err == nil {
		defer conn.Close()
		m.owned, err = names(ctx, conn, "ListNames")
	}
	if err == nil {
		m.activatable, err = names(ctx, conn, "ListActivatableNames")
	}
	if err != nil {
		m.problem, m.cause = "no system bus", err
		return m
	}
	m.networkManager = m.ask(ctx, conn, observers.NetworkManager())
	if m.networkManager.properties != nil {
		m.profiles, m.knowsProfiles = profilesOf(ctx, conn)
		source := observers.NetworkManager()
		m.links = askLinks(ctx, object{conn, source.Name, source.Root.Path}, m.networkManager.properties)
	}
	m.upower = m.ask(ctx, conn, observers.UPower())
	logind := observers.Logind()
	m.login1 = m.ask(ctx, conn, logind)
	if m.login1.properties != nil {
		m.lidSignalled = signals(ctx, object{conn, logind.Name, logind.Root.Path}, logind.Root.Interface, "LidClosed")
		m.sessions = askSessions(ctx, conn)
	}
	return m
}

func profilesOf(ctx context.Context, conn *dbus.Conn) (names []string, all bool) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	names, err := profiles.Names(ctx, conn)
	return names, err == nil
}

func (m machine) ask(ctx context.Context, conn *dbus.Conn, source observers.Source) answer {
	if !slices.Contains(m.owned, source.Name) {
		return answer{}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for {
		all, err := object{conn, source.Name, source.Root.Path}.all(ctx, source.Root.Interface)
		if !isStarting(err) {
			return answer{all, err}
		}
		select {
		case <-ctx.Done():
			return answer{nil, err}
		case <-time.After(startingPause):
		}
	}
}

// startingPause is the time between two questions to a starting service.
const startingPause = 100 * time.Millisecond

// isStarting reports whether a service owns its name but has no objects yet, as
// NetworkManager before 1.44 does for a moment.
func isStarting(err error) bool {
	var refusal dbus.Error
	return errors.As(err, &refusal) && slices.Contains([]string{
		busName + ".Error.UnknownMethod", busName + ".Error.UnknownObject", busName + ".Error.UnknownInterface",
	}, refusal.Name)
}

// signals reports whether a service signals changes of a property, according to its
// introspection data. If the service does not answer, signals reports false.
func signals(ctx context.Context, o object, iface, property string) bool {
	var data string
	if err := o.call(ctx, busName+".Introspectable.Introspect", &data); err != nil {
		return false
	}
	emits, err := observers.EmitsChangedSignal(data, iface)
	return err == nil && emits[property] == "true"
}

// noLogind says why logind cannot be asked.
func (m machine) noLogind() problem {
	if m.problem == "" && m.login1.properties == nil {
		return "no logind"
	}
	return m.problem
}

func (sys *system) systemBus() []Finding {
	if sys.machine.problem == "" {
		return nil
	}
	return []Finding{{
		What: fmt.Sprintf("the system bus cannot be reached at %s: %v", sys.machine.address, sys.machine.cause),
		Why:  "the bridge reaches NetworkManager and logind only there: no target follows anything",
		Mend: run("sudo systemctl start dbus.socket"),
	}}
}

// systemUnitPath returns where the system manager looks for persistent units
// (systemd.unit(5), "System Unit Search Path").
func systemUnitPath() []string {
	return []string{
		"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system",
	}
}

// isSystemUnit looks for the unit's file. Asking the system manager would load the unit,
// and a container has no system manager.
func isSystemUnit(name string) bool {
	return slices.ContainsFunc(systemUnitPath(), func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	})
}
