package observers

import (
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
)

const routeDevicePath = networkManagerPath + "/Devices/"

func (w *watch) isDefault(sequence dbus.Sequence, path string, value bool) {
	w.Helper()
	w.objectChanged(sequence, path, activeConnectionInterface, map[string]dbus.Variant{"Default": dbus.MakeVariant(value)})
}

// routeConnection and reaching are what NetworkManager says of a connection or of a device with some
// number.
func routeConnection(isDefault bool, number int) map[string]dbus.Variant {
	return map[string]dbus.Variant{
		"Default": dbus.MakeVariant(isDefault), "Default6": dbus.MakeVariant(false), "Devices": paths(routeDevicePath, number),
	}
}

func reaching(value uint32) map[string]dbus.Variant {
	return map[string]dbus.Variant{
		"Interface": dbus.MakeVariant("eth0"), "Ip4Connectivity": dbus.MakeVariant(value), "Ip6Connectivity": dbus.MakeVariant(uint32(0)),
	}
}

func TestOnlyDevicesWithADefaultRouteAreReadAndOnlyOnDemand(t *testing.T) {
	w := observe(t, Routes())
	w.owner(":1.1")
	w.hearsProblem("NetworkManager is not asked")
	if len(w.service.Listening()) > 0 || len(w.source.Matches()) > 0 {
		t.Error("it is listened to without a need")
	}
	w.observer.Demand(Watched)
	asked := w.called("GetAll")
	if len(w.service.Listening()) == 0 {
		t.Error("it is asked before it is listened to")
	}
	bustest.Answer(asked, 1, nil, map[string]dbus.Variant{"ActiveConnections": paths(activeConnectionPath+"/", 1, 2)})
	bustest.Answer(w.called("GetAll"), 2, nil, routeConnection(true, 1))
	bustest.Answer(w.called("GetAll"), 3, nil, routeConnection(false, 2))
	device := w.called("GetAll")
	if device.Path != routeDevicePath+"1" {
		t.Errorf("asked for %s", device.Path)
	}
	bustest.Answer(device, 4, nil, reaching(3))
	best := func() string {
		t.Helper()
		return bestReach(w.hears()).reason
	}
	if got := best(); got != "eth0.Ip4Connectivity=Limited" {
		t.Errorf("at first: %s", got)
	}

	// A route moves to the other connection, and back.
	w.isDefault(5, activeConnectionPath+"/2", true)
	bustest.Answer(w.called("GetAll"), 6, nil, reaching(4))
	if got := best(); got != "eth0.Ip4Connectivity=Full" {
		t.Errorf("with a second route: %s", got)
	}
	w.isDefault(7, activeConnectionPath+"/2", false)
	if got := best(); got != "eth0.Ip4Connectivity=Limited" {
		t.Errorf("without the second route: %s", got)
	}
	w.objectChanged(8, routeDevicePath+"2", networkManagerInterface+".Device", reaching(1)) // not listened to
	w.isDefault(9, activeConnectionPath+"/2", true)
	bustest.Answer(w.called("GetAll"), 10, nil, reaching(2)) // so it is read again
	if got := best(); got != "eth0.Ip4Connectivity=Portal" {
		t.Errorf("with the second route again: %s", got)
	}

	w.observer.Demand(Dormant)
	w.hearsProblem("NetworkManager is not asked")
	w.isDefault(11, activeConnectionPath+"/1", false)
	if len(w.calls) > 0 || len(w.service.Listening()) > 0 {
		t.Error("it is read, or listened to, without a need")
	}
}

func TestAServiceThatIsNotRunningIsNotStartedForRoutes(t *testing.T) {
	w := observe(t, Routes())
	w.owner("")
	w.hearsProblem("NetworkManager is not asked")
	w.observer.Demand(Watched)
	w.hearsProblem("NetworkManager is not running")
}
