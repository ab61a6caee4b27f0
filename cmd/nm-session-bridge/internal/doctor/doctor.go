package doctor

import (
	"context"
	"slices"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// Setting is what the doctor is given.
type Setting struct {
	// Switches are those whose targets are looked at.
	Switches observers.Switches
	// Environment is that of the caller, in the form of [os.Environ], and UID
	// the caller's user.
	Environment []string
	UID         int
	// Program is how this program is called from a shell, and Usage says what is
	// wrong with arguments of its.
	Program string
	Usage   func(args []string) error
}

// system is all that is known of a machine and a user's units.
type system struct {
	Setting
	machine machine
	user    user
	targets []string // of all switches
	// isSystemUnit reports whether the system manager has a unit of a name.
	isSystemUnit func(name string) bool
	// lasted returns how long the last start of one of the user's units took,
	// where that is known.
	lasted func(unit string) (took seconds, known bool)
}

// check looks at one subject.
type check struct {
	subject string
	find    func(*system) []Finding
	// needs says which facts a check cannot do without.
	needs func(*system) problem
}

// problem says why something is not there to be looked at; "" if it is.
type problem string

func checks() []check {
	return []check{
		{"system bus", (*system).systemBus, nothing},
		{"NetworkManager", (*system).network, theSystemBus},
		{"logind", (*system).logind, theSystemBus},
		{"user manager", (*system).manager, nothing},
		{"service", (*system).service, theManager},
		{"switches", (*system).switches, theManager},
		{"targets", (*system).ownTargets, theManager},
		{"environment", (*system).environment, theManager},
		{"reload", (*system).reload, theManager},
		{"units", (*system).units, theManager},
		{"failures", (*system).failures, theManager},
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

// Examine looks at the machine and at the user's units.
func Examine(ctx context.Context, setting Setting) Report {
	sys := &system{
		Setting:      setting,
		targets:      slices.Sorted(slices.Values(setting.Switches.Targets())),
		isSystemUnit: isSystemUnit,
		lasted:       func(unit string) (seconds, bool) { return lastStart(ctx, unit) },
	}
	sys.machine = askMachine(ctx)
	sys.user = sys.askUser(ctx)
	sys.targets = append(sys.targets, sys.instances()...)
	return sys.examine()
}

// isInstance reports whether a unit is made from a template of ours.
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
	var report Report
	unchecked := map[problem][]string{}
	var problems []problem
	for _, c := range checks() {
		missing := c.needs(sys)
		if missing == "" {
			report.Findings = append(report.Findings, c.find(sys)...)
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
	report.Summary = sys.summary()
	return report
}
