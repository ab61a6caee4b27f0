package doctor

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/bus"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// user is what the user manager answered.
type user struct {
	problem problem // why there is no user manager
	cause   error   // of the problem
	address string  // of the session bus; "" if none is known
	manager properties
	// all holds every unit that was asked for, by that name.
	all map[string]unit
	// files are the unit files that the manager finds on disk.
	files []unitFile
	// links are the units that have a link to a unit, by its name, in their directory of
	// units to start.
	links map[string][]string
	// own are the names of the units that the user has written or changed.
	own []string
	// bridge is what a running bridge says about its switches.
	bridge properties
}

// unitFile is a file that the user manager finds, with a state such as "enabled" or
// "masked-runtime" (systemctl(1), is-enabled).
type unitFile struct{ Path, State string }

// unit is what the user manager says about a unit.
type unit struct {
	name string
	properties
}

func (u user) unit(name string) unit {
	if known, ok := u.all[name]; ok {
		return known
	}
	return unit{name: name}
}

func (u unit) load() string  { return u.text("LoadState") }
func (u unit) state() string { return u.text("UnitFileState") }
func (u unit) active() bool  { return u.text("ActiveState") == "active" }
func (u unit) wants() []string {
	return slices.Concat(u.texts("Wants"), u.texts("Requires"), u.texts("Upholds"))
}

// isOnce reports whether a unit runs once and ends.
func (u unit) isOnce() bool {
	return u.text("Type") == "oneshot" && !u.is("RemainAfterExit")
}

const (
	managerInterface = systemdctl.ManagerName + ".Manager"
	unitInterface    = systemdctl.ManagerName + ".Unit"
)

// askUser asks the user manager for our units, the user's own, and all units that these
// depend on.
func (sys *system) askUser(ctx context.Context) user {
	address, err := bus.SessionAddress()
	if err != nil {
		return user{problem: "no session bus", cause: err}
	}
	u := user{address: address, all: map[string]unit{}}
	conn, err := bus.Connect(ctx, address)
	if err != nil {
		u.problem, u.cause = "no session bus", err
		return u
	}
	defer conn.Close()
	manager := object{conn, systemdctl.ManagerName, "/org/freedesktop/systemd1"}
	if u.manager, err = manager.all(ctx, managerInterface); err == nil {
		err = sys.askUnits(ctx, &u, manager, append([]string{systemdctl.ServiceName}, sys.targets...))
	}
	if err != nil {
		u.problem, u.cause = "no user manager", err
		return u
	}
	u.bridge, _ = object{conn, client.Name, client.Path}.all(ctx, client.Interface) // nothing if it does not answer
	return u
}

// askUnits asks for our units, including instances, the user's own units, the unit to look
// at, and all units that these depend on.
func (sys *system) askUnits(ctx context.Context, u *user, manager object, ours []string) error {
	var loaded []systemd.UnitStatus
	if err := manager.call(ctx, managerInterface+".ListUnits", &loaded); err != nil {
		return err
	}
	candidates, err := u.listOwn(ctx, manager, loaded)
	if err != nil {
		return err
	}
	sys.subject.units = sys.subject.toAsk(u, loaded)
	candidates = append(slices.DeleteFunc(candidates, isTemplate), sys.subject.units...)
	instances := u.linked()
	u.links = u.startLinks()
	for _, l := range loaded {
		instances = append(instances, l.Name)
	}
	for _, name := range instances {
		if sys.isInstance(name) {
			ours = append(ours, name)
		}
	}
	for _, name := range slices.Concat(ours, candidates, u.rivals(), []string{graphical}) {
		if err := u.ask(ctx, manager, name); err != nil {
			return err
		}
	}
	for _, name := range ours {
		for _, wanted := range u.unit(name).wants() {
			candidates = append(candidates, wanted)
			if err := u.ask(ctx, manager, wanted); err != nil {
				return err
			}
			for _, triggered := range u.unit(wanted).texts("Triggers") {
				if err := u.ask(ctx, manager, triggered); err != nil {
					return err
				}
			}
		}
	}
	for _, name := range candidates {
		one := u.unit(name)
		id := one.text("Id") // a unit may have several names
		isAsked := slices.Contains(sys.subject.units, name) && !slices.Contains([]string{"", "not-found"}, one.load())
		if (one.isOwn() || isAsked) && !slices.Contains(u.own, id) && !slices.Contains(ours, id) {
			one.name = id
			u.own = append(u.own, id)
			u.all[id] = one
		}
	}
	slices.Sort(u.own)
	if err := u.askDependencies(ctx, manager); err != nil {
		return err
	}
	names := slices.Concat(ours, u.own)
	for _, name := range u.own {
		names = append(names, u.starters(u.unit(name))...)
	}
	return u.askOrder(ctx, manager, names)
}

// linked returns the units that have a directory of links in the user's configuration.
// Until the manager has loaded them, it does not know them.
func (u *user) linked() []string {
	var names []string
	for _, dir := range u.manager.texts("UnitPath") {
		if !isOwnPath(dir) {
			continue
		}
		for _, kind := range []string{".wants", ".requires", ".upholds"} {
			for _, folder := range matching(dir, "*"+kind) {
				names = append(names, strings.TrimSuffix(folder, kind))
			}
		}
	}
	return names
}

// startLinks finds the links by which units start others (systemd.unit(5), "WantedBy=").
func (u *user) startLinks() map[string][]string {
	links := map[string][]string{}
	for _, dir := range u.manager.texts("UnitPath") {
		for _, kind := range []string{".wants", ".upholds"} {
			for _, link := range matching(dir, "*"+kind+"/*") {
				name, by := filepath.Base(link), strings.TrimSuffix(filepath.Dir(link), kind)
				if !slices.Contains(links[name], by) {
					links[name] = append(links[name], by)
				}
			}
		}
	}
	return links
}

// askDependencies asks for what the user's own units depend on.
func (u *user) askDependencies(ctx context.Context, manager object) error {
	for _, name := range u.own {
		for _, key := range append(dependencyKeys(), "Triggers") {
			for _, other := range u.unit(name).texts(key) {
				if err := u.ask(ctx, manager, other); err != nil {
					return err
				}
			}
		}
		files, _ := readAll(u.unit(name)) // a file that cannot be read is left alone
		for _, other := range files.installs() {
			if err := u.ask(ctx, manager, other); err != nil {
				return err
			}
		}
	}
	return nil
}

// ask asks for a unit, which loads it, and for a template as an instance of it would be. Nothing
// is known about a unit whose name the manager rejects.
func (u *user) ask(ctx context.Context, manager object, name string) error {
	if _, asked := u.all[name]; asked {
		return nil
	}
	var path dbus.ObjectPath
	err := manager.call(ctx, managerInterface+".LoadUnit", &path, trialOf(name))
	one := unit{name: name}
	if err == nil {
		one.properties, err = manager.at(path).all(ctx, "")
	}
	if isTemplate(name) && one.properties != nil {
		one.properties["Id"] = dbus.MakeVariant(name)
	}
	if nobody(err) || ctx.Err() != nil {
		return err
	}
	u.all[name] = one
	return nil
}

// templateOf returns the name of an instance's template, or "" for a unit that is not an
// instance.
func templateOf(name string) string {
	prefix, rest, isInstance := strings.Cut(name, "@")
	if !isInstance {
		return ""
	}
	return prefix + "@" + filepath.Ext(rest)
}

func (sys *system) manager() []Finding {
	u := sys.user
	if u.problem == "" {
		return nil
	}
	const why = "the bridge and the units that it starts run in the user manager"
	runtime := fmt.Sprintf("/run/user/%d", sys.UID)
	f := Finding{
		What: fmt.Sprintf("the session bus cannot be reached at %s: %v", u.address, u.cause),
		Why:  why,
		Mend: run(fmt.Sprintf("sudo loginctl enable-linger %d && sudo systemctl start user@%d.service", sys.UID, sys.UID)),
	}
	usual := "unix:path=" + runtime + "/bus"
	if u.address == "" {
		f.What = u.cause.Error()
	}
	switch {
	case sys.UID == 0: // a user manager of root's own would be no help
		f.Mend = byHand(bus.Place())
	case !exists(runtime+"/bus") && exists(runtime+"/systemd/private"):
		f.Mend = run(thisDistribution().install("dbus-user-session") + " && systemctl --user start dbus.socket")
	case !exists(runtime + "/bus"):
	case u.address == "":
		f.Mend = run("export XDG_RUNTIME_DIR=" + runtime)
	case u.address != usual:
		f.Mend = run("export DBUS_SESSION_BUS_ADDRESS=" + usual)
	}
	if u.problem == "no user manager" {
		f.What = fmt.Sprintf("no systemd user manager answers on the session bus at %s: %v", u.address, u.cause)
	}
	return []Finding{f}
}
