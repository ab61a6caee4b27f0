package daemon

import (
	"fmt"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/daemon/api"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/daemon/bridge"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/overrides"
)

// savingControl holds and releases the bridge's switches, and saves what is
// held for the next start.
type savingControl struct {
	*bridge.Bridge
	store overrides.Store
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

func (c savingControl) save() error {
	if err := c.store.Save(c.Held()); err != nil {
		return api.Failure{Err: fmt.Errorf("the change is made, but a restart of nm-session-bridge will undo it: %w", err)}
	}
	return nil
}
