package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// walk visits units and everything that they wait for, each once. A visit returns what the
// unit waits for.
func walk(names []string, visit func(name string) (after []string, err error)) error {
	queue := slices.Clone(names)
	seen := map[string]bool{}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		after, err := visit(name)
		if err != nil {
			return err
		}
		queue = append(queue, after...)
	}
	return nil
}

// askOrder asks for everything that units wait for, so that a new After= can be checked for
// cycles.
func (u *user) askOrder(ctx context.Context, manager object, names []string) error {
	return walk(names, func(name string) ([]string, error) {
		err := u.ask(ctx, manager, name)
		return u.unit(name).texts("After"), err
	})
}

// waits reports whether a unit waits for another one through others, except for some that it
// never has to wait for.
func (u user) waits(name, other string, except ...string) bool {
	found := false
	_ = walk(u.unit(name).texts("After"), func(by string) ([]string, error) {
		if by == name || by == other || slices.Contains(except, by) {
			return nil, nil
		}
		after := u.unit(by).texts("After")
		found = found || slices.Contains(after, other)
		return after, nil
	})
	return found
}

// mayWaitFor reports whether the unit can be ordered after a target. It cannot if the
// target waits for the unit, because its file says so or through other units: systemd would
// break the cycle by not starting one of them. The implicit wait of a target for the units
// that it wants does not count, because systemd leaves that out for a unit that waits for
// the target.
func (c unitCheck) mayWaitFor(target string) bool {
	return !c.files.assign("Unit", []string{"Before"}, func(name string) bool { return name == target }) &&
		!c.user.waits(target, c.name)
}

// started is active before anything that a target of ours starts. Timers that wait for such a
// target are ordered before it, but come later.
const started = "basic.target"

// circles finds a unit that waits for its target through others, while the target waits for
// the unit, as targets do for all units that they want.
func (c unitCheck) circles() []Finding {
	by := append(c.wanters(c.name), c.texts("WantedBy")...)
	for _, target := range by {
		if !strings.HasSuffix(target, ".target") || slices.Contains(c.texts("After"), target) ||
			!slices.Contains(c.user.unit(target).texts("After"), c.name) || !c.user.waits(c.name, target, started) {
			continue
		}
		through := slices.DeleteFunc(slices.Clone(c.texts("After")), func(name string) bool {
			return name == started || !slices.Contains(c.user.unit(name).texts("After"), target) && !c.user.waits(name, target, started)
		})
		f := Finding{
			What: fmt.Sprintf("%s: %s waits for it, while it waits for %s, which waits for the target", c.name, target, listed(through)),
			Why:  "systemd breaks the ordering cycle by not starting one of them",
		}
		c.change.add("Unit", "After="+target)
		if slices.Contains(c.targets, target) {
			c.follow([]string{target}, nil, false)
			c.reported[target] = true
		}
		if !c.mayWaitFor(target) {
			c.change.instead = byEdit("remove what orders " + c.name + " before " + target + ", such as Before=")
		}
		return []Finding{f}
	}
	return nil
}
