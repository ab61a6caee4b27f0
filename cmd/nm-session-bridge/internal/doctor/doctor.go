package doctor

import (
	"context"
	"slices"

	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// Setting is where an examination takes place.
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

// patient is all that is known of a machine and a user's units.
type patient struct {
	Setting
	machine machine
	user    user
	targets []string // of all switches
	// isSystemUnit tells whether the system manager has a unit of a name.
	isSystemUnit func(name string) bool
	// lasted returns how long the last start of one of the user's units took,
	// where that is known.
	lasted func(unit string) (took seconds, known bool)
}

// check looks at one subject.
type check struct {
	subject string
	find    func(*patient) []Finding
	// needs says which facts a check cannot do without.
	needs func(*patient) problem
}

// problem says why something is not there to be looked at; "" if it is.
type problem string

func checks() []check {
	return []check{
		{"system bus", (*patient).systemBus, nothing},
		{"NetworkManager", (*patient).network, theSystemBus},
		{"logind", (*patient).logind, theSystemBus},
		{"user manager", (*patient).manager, nothing},
		{"service", (*patient).service, theManager},
		{"switches", (*patient).switches, theManager},
		{"targets", (*patient).ownTargets, theManager},
		{"environment", (*patient).environment, theManager},
		{"reload", (*patient).reload, theManager},
		{"units", (*patient).units, theManager},
		{"failures", (*patient).failures, theManager},
		{"delay of sleep", (*patient).delay, theManagerAndLogind},
	}
}

func nothing(*patient) problem { return "" }

func theSystemBus(p *patient) problem { return p.machine.problem }

func theManager(p *patient) problem { return p.user.problem }

func theManagerAndLogind(p *patient) problem {
	if p.user.problem != "" {
		return p.user.problem
	}
	return p.machine.noLogind()
}

// Examine looks at the machine and at the user's units.
func Examine(ctx context.Context, setting Setting) Report {
	p := &patient{
		Setting:      setting,
		targets:      slices.Sorted(slices.Values(setting.Switches.Targets())),
		isSystemUnit: isSystemUnit,
		lasted:       func(unit string) (seconds, bool) { return lastStart(ctx, unit) },
	}
	p.machine = askMachine(ctx)
	p.user = p.askUser(ctx)
	p.targets = append(p.targets, p.instances()...)
	return p.examine()
}

// isInstance tells whether a unit is made from a template of ours.
func (p *patient) isInstance(name string) bool {
	return slices.ContainsFunc(p.Switches, func(s observers.Switch) bool {
		_, isOurs := s.Template.Instance(name)
		return isOurs
	})
}

// instances returns the instances of our templates that are loaded or that the
// user's units name.
func (p *patient) instances() []string {
	var instances []string
	for name, one := range p.user.all {
		if p.isInstance(name) && one.load() == "loaded" {
			instances = append(instances, name)
		}
	}
	slices.Sort(instances)
	return instances
}

func (p *patient) examine() Report {
	var report Report
	unchecked := map[problem][]string{}
	var problems []problem
	for _, c := range checks() {
		missing := c.needs(p)
		if missing == "" {
			report.Findings = append(report.Findings, c.find(p)...)
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
	report.Sound = p.sound()
	return report
}
