package doctor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/suggest"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// Setting is what the doctor must know before it can examine anything.
type Setting struct {
	// Unit is the unit to look at, besides the machine, the service and the targets, or ""
	// for all of the user's.
	Unit string
	// Switches are the switches whose targets are checked.
	Switches observers.Switches
	// Environment is the caller's environment, in the form of [os.Environ]. UID is the
	// caller's user.
	Environment []string
	UID         int
	// Program is how to call this program from a shell. Path is the path of its file. Usage
	// returns an error if the program would reject the arguments.
	Program, Path string
	Usage         func(args []string) error
}

// system is everything that is known about a machine and a user's units.
type system struct {
	Setting
	machine machine
	user    user
	targets []string // of all switches
	// isSystemUnit reports whether the system manager has a unit with a name.
	isSystemUnit func(name string) bool
	// lasted returns how long the last start of one of the user's units took, if
	// that is known.
	lasted func(unit string) (took seconds, known bool)
	// said returns the last output of one of the user's units, if that is known.
	said func(unit string) string
	// monotonic is the time for which the machine has been awake, as in systemd's timestamps.
	monotonic time.Duration
}

// check examines one subject.
type check struct {
	subject string
	find    func(*system) []Finding
	// needs returns the problem that makes the check impossible, if there is one.
	needs func(*system) problem
}

// problem says why something cannot be checked; it is "" if it can.
type problem string

func checks() []check {
	return []check{
		{"system bus", (*system).systemBus, nothing},
		{"NetworkManager", (*system).network, theSystemBus},
		{"links", (*system).links, theSystemBus},
		{"logind", (*system).logind, theSystemBus},
		{"power", (*system).power, theSystemBus},
		{"user manager", (*system).manager, nothing},
		{"service", (*system).service, theManager},
		{"switches", (*system).switches, theManager},
		{"targets", (*system).ownTargets, theManager},
		{"rivals", (*system).rivalry, theManager},
		{"environment", (*system).environment, theManager},
		{"reload", (*system).reload, theManager},
		{"units", (*system).units, theManager},
		{"failures", (*system).failures, theManager},
		{"containers", (*system).containers, theManager},
		{"idleness", (*system).idle, theManagerAndLogind},
		{"delay of sleep", (*system).delay, theManagerAndLogind},
	}
}

func nothing(*system) problem { return "" }

func theSystemBus(sys *system) problem { return sys.machine.problem }

func theManager(sys *system) problem { return sys.user.problem }

func theManagerAndLogind(sys *system) problem {
	if sys.user.problem != "" {
		return sys.user.problem
	}
	return sys.machine.noLogind()
}

// NoUnitError says that the unit to look at does not exist.
type NoUnitError struct {
	Unit string
	// Meant is a unit of the user's with a similar name, if there is one.
	Meant string
}

func (e *NoUnitError) Error() string {
	if e.Meant != "" {
		return fmt.Sprintf("no unit is called %s, did you mean %s?", e.Unit, e.Meant)
	}
	return "no unit is called " + e.Unit
}

// Examine checks the machine and the user's units. It returns a [NoUnitError] if no unit
// has the name in the setting.
func Examine(ctx context.Context, setting Setting) (Report, error) {
	sys := &system{
		Setting:      setting,
		targets:      slices.Sorted(slices.Values(setting.Switches.Targets())),
		isSystemUnit: isSystemUnit,
		lasted:       func(unit string) (seconds, bool) { return lastStart(ctx, unit) },
		said:         func(unit string) string { return lastWords(ctx, unit) },
	}
	sys.monotonic, sys.machine = monotonic(), askMachine(ctx)
	sys.user = sys.askUser(ctx)
	sys.targets = append(sys.targets, sys.instances()...)
	if one := sys.user.unit(sys.Unit); sys.Unit != "" && sys.user.problem == "" && (one.load() == "not-found" || one.properties == nil) {
		meant, _ := suggest.Name(sys.Unit, sys.user.own)
		return Report{}, &NoUnitError{sys.Unit, meant}
	} else if id := one.text("Id"); id != "" {
		sys.Unit = id // a unit may have several names
	}
	return sys.examine(), nil
}

// concerns reports whether to show a finding: it must not be about another unit than the
// one to look at.
func (sys *system) concerns(f Finding) bool {
	return sys.Unit == "" || slices.Contains([]string{"", sys.Unit, systemdctl.ServiceName}, f.Unit) || slices.Contains(sys.targets, f.Unit)
}

// monotonic reads CLOCK_MONOTONIC.
func monotonic() time.Duration {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // fails for bad clocks only
	return time.Duration(now.Nano())
}

// isInstance reports whether a unit is an instance of one of our templates.
func (sys *system) isInstance(name string) bool {
	return slices.ContainsFunc(sys.Switches, func(s observers.Switch) bool {
		_, isOurs := s.Template.Instance(name)
		return isOurs
	})
}

// instances returns the instances of our templates that are loaded or that the
// user's units name.
func (sys *system) instances() []string {
	var instances []string
	for name, one := range sys.user.all {
		if sys.isInstance(name) && one.load() == "loaded" {
			instances = append(instances, name)
		}
	}
	slices.Sort(instances)
	return instances
}

func (sys *system) examine() Report {
	report := Report{Findings: []Finding{}, Unchecked: []string{}}
	unchecked := map[problem][]string{}
	var problems []problem
	for _, c := range checks() {
		missing := c.needs(sys)
		if missing == "" {
			for _, f := range c.find(sys) {
				if sys.concerns(f) {
					report.Findings = append(report.Findings, f)
				}
			}
			continue
		}
		if !slices.Contains(problems, missing) {
			problems = append(problems, missing)
		}
		unchecked[missing] = append(unchecked[missing], c.subject)
	}
	for _, missing := range problems {
		report.Unchecked = append(report.Unchecked, listed(unchecked[missing])+" ("+string(missing)+")")
	}
	report.Findings = grouped(report.Findings)
	report.Summary = sys.summary()
	return report
}
