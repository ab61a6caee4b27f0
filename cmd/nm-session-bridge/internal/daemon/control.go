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
func (c savingControl) Hold(name, position string) error {
	if err := c.Bridge.Hold(name, position); err != nil {
		return err
	}
	return c.save()
}

// Release implements [api.Control].
func (c savingControl) Release(name string) error {
	if err := c.Bridge.Release(name); err != nil {
		return err
	}
	return c.save()
}

func (c savingControl) save() error {
	if err := c.store.Save(c.Held()); err != nil {
		return api.Failure{Err: fmt.Errorf("it is so now, but will not be after a restart of nm-session-bridge: %w", err)}
	}
	return nil
}
