package doctor

import (
	"context"
	"slices"
)

// askOrder asks for everything that targets wait for, so that a new After= can be checked
// for cycles.
func (u *user) askOrder(ctx context.Context, manager object, targets []string) error {
	queue := slices.Clone(targets)
	seen := map[string]bool{}
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		if err := u.ask(ctx, manager, name); err != nil {
			return err
		}
		queue = append(queue, u.unit(name).texts("After")...)
	}
	return nil
}

// mayWaitFor reports whether the unit can be ordered after a target. It cannot if the
// target waits for the unit, because its file says so or through other units: systemd would
// break the cycle by starting one of them not at all. That the target waits for what it
// wants does not count, because systemd leaves it out for a unit that waits for the target.
func (c unitCheck) mayWaitFor(target string) bool {
	for _, f := range c.files {
		if slices.Contains(f.names("Unit", "Before"), target) {
			return false
		}
	}
	seen := map[string]bool{c.name: true}
	queue := c.user.unit(target).texts("After")
	for len(queue) > 0 {
		name := queue[0]
		queue = queue[1:]
		if seen[name] {
			continue
		}
		seen[name] = true
		after := c.user.unit(name).texts("After")
		if slices.Contains(after, c.name) {
			return false
		}
		queue = append(queue, after...)
	}
	return true
}
