package systemdctl

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/godbus/dbus/v5"
)

// StartsAgain reports whether the manager restarts the service of a process that ends with
// a status. It restarts nothing for a process that is not the main one of a service.
// RestartPreventExitStatus= comes first, then RestartForceExitStatus=, then Restart=
// (systemd.service(5)).
func StartsAgain(ctx context.Context, manager Caller, process, status int) (bool, error) {
	var unit dbus.ObjectPath
	err := ask(ctx, manager, managerPath, managerInterface+".GetUnitByPID", uint32(process)).Store(&unit)
	var refusal dbus.Error
	if errors.As(err, &refusal) && refusal.Name == ManagerName+".NoUnitForPID" {
		return false, nil // somebody started it by hand
	}
	var service properties
	if err == nil {
		// Of all interfaces, because a terminal's unit is a scope.
		service, err = allProperties(ask(ctx, manager, unit, propertiesInterface+".GetAll", ""))
	}
	if err != nil {
		return false, fmt.Errorf("cannot ask the user manager whether it restarts this service: %w", err)
	}
	if main, _, _ := property[uint32](service, "MainPID"); main != uint32(process) {
		return false, nil
	}
	switch {
	case service.hasStatus("RestartPreventExitStatus", status):
		return false, nil
	case service.hasStatus("RestartForceExitStatus", status):
		return true, nil
	}
	isSuccess := service.hasStatus("SuccessExitStatus", status)
	restart := service.text("Restart")
	return restart == "always" || restart == "on-success" && isSuccess || restart == "on-failure" && !isSuccess, nil
}

// hasStatus reports whether a property of D-Bus type (aiai), exit statuses and signals,
// contains an exit status.
func (p properties) hasStatus(name string, status int) bool {
	lists, _, _ := property[[]any](p, name)
	if len(lists) == 0 {
		return false
	}
	statuses, _ := lists[0].([]int32)
	return slices.Contains(statuses, int32(status))
}
