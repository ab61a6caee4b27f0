package doctor

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// Setting is what the doctor must know before it can examine anything.
type Setting struct {
	// Unit says what to look at, besides the machine, the service and the targets that
	// matter to it: a unit, whose name may lack ".service", a template, or the path of a
	// file from which a unit is made. It is "" for all of the user's units.
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
	subject subject
	targets []string // of all switches
	// ignored are the lines of the user's units that systemd ignores.
	ignored []ignored
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
		{"units of the system manager", (*system).strays, nothing},
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

// Examine checks the machine and the user's units. It returns a [NoUnitError] if the setting
// names something that is no unit.
func Examine(ctx context.Context, setting Setting) (Report, error) {
	sys := &system{
		Setting:      setting,
		subject:      subjectOf(setting.Unit),
		targets:      slices.Sorted(slices.Values(setting.Switches.Targets())),
		isSystemUnit: isSystemUnit,
		lasted:       func(unit string) (seconds, bool) { return lastStart(ctx, unit) },
		said:         func(unit string) string { return lastWords(ctx, unit) },
	}
	sys.monotonic, sys.machine = monotonic(), askMachine(ctx)
	sys.user = sys.askUser(ctx)
	sys.targets = append(sys.targets, sys.instances()...)
	if err := sys.settle(); err != nil {
		return Report{}, err
	}
	sys.ignored = sys.user.askIgnored(ctx)
	return sys.examine(), nil
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
		if sys.isInstance(name) && one.load() == "loaded" && !isTrial(name) {
			instances = append(instances, name)
		}
	}
	slices.Sort(instances)
	return instances
}

func (sys *system) examine() Report {
	report := Report{Unchecked: []string{}}
	unchecked := map[problem][]string{}
	var problems []problem
	for _, c := range checks() {
		missing := c.needs(sys)
		if missing == "" {
			for _, f := range c.find(sys) {
				if sys.concerns(f.Unit) {
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
