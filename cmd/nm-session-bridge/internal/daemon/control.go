package daemon

import (
	"fmt"
	"maps"
	"slices"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/daemon/api"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/daemon/bridge"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/overrides"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// savingControl holds and releases the bridge's switches, and saves what is
// held for the next start.
type savingControl struct {
	*bridge.Bridge
	store    overrides.Store
	switches observers.Switches // the bridge's
}

// Hold implements [api.Control].
func (c savingControl) Hold(name, position string) (bridge.Change, error) {
	change, err := c.Bridge.Hold(name, position)
	if err == nil {
		err = c.save()
	}
	return change, err
}

// Release implements [api.Control].
func (c savingControl) Release(name string) (bridge.Change, error) {
	change, err := c.Bridge.Release(name)
	if err == nil {
		err = c.save()
	}
	return change, err
}

// save also keeps the held positions of switches that this bridge leaves out, for a
// later bridge that has them.
func (c savingControl) save() error {
	held, err := c.store.Load()
	if err == nil {
		maps.DeleteFunc(held, func(name, _ string) bool { return slices.Contains(c.switches.Names(), name) })
		maps.Copy(held, c.Held())
		err = c.store.Save(held)
	}
	if err != nil {
		return api.Failure{Err: fmt.Errorf("the change is made, but a restart of nm-session-bridge will undo it: %w", err)}
	}
	return nil
}
