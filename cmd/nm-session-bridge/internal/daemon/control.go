package daemon

import (
	"fmt"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/daemon/api"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/daemon/bridge"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/daemon/overrides"
)

// savingControl has the bridge hold switches, and remembers that for its next
// start.
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
		return api.Failure{Err: fmt.Errorf("it is so now, but will not be after a restart of nm-session-bridge: %w", err)}
	}
	return nil
}
