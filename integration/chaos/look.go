package chaos

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// unit is what systemctl shows about a unit.
type unit struct {
	active, load, invocation, result, status string
	pid                                      int
	queued                                   bool // has a job
}

// look asks the user manager for units. It uses the manager's private socket, so it works without a
// session bus.
func (w *World) look(ctx context.Context, names ...string) (map[string]unit, error) {
	args := append([]string{"show", "-p", "Id,ActiveState,LoadState,InvocationID,Result,StatusText,MainPID,Job"}, names...)
	out, err := w.systemctl(ctx, args...)
	if err != nil {
		return nil, err
	}
	units := map[string]unit{}
	for _, block := range strings.Split(out, "\n\n") {
		var u unit
		var id string
		for _, line := range strings.Split(block, "\n") {
			key, value, _ := strings.Cut(line, "=")
			switch key {
			case "Id":
				id = value
			case "ActiveState":
				u.active = value
			case "LoadState":
				u.load = value
			case "InvocationID":
				u.invocation = value
			case "Result":
				u.result = value
			case "StatusText":
				u.status = value
			case "MainPID":
				u.pid, _ = strconv.Atoi(value)
			case "Job":
				u.queued = value != "" && value != "0"
			}
		}
		units[id] = u
	}
	for _, name := range names {
		if units[name].active == "" && !strings.Contains(name, "*") {
			return nil, fmt.Errorf("systemctl does not show %s: %s", name, out)
		}
	}
	return units, nil
}
