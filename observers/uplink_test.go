package observers

import (
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bustest"
)

const uplinkDevicePath = networkManagerPath + "/Devices/"

func (w *watch) isDefault(sequence dbus.Sequence, path string, value bool) {
	w.Helper()
	w.objectChanged(sequence, path, activeConnectionInterface, map[string]dbus.Variant{"Default": dbus.MakeVariant(value)})
}

// uplink is what NetworkManager says of a connection or of a device with some
// number.
func uplinkConnection(isDefault bool, number int) map[string]dbus.Variant {
	return map[string]dbus.Variant{
		"Default": dbus.MakeVariant(isDefault), "Default6": dbus.MakeVariant(false), "Devices": paths(uplinkDevicePath, number),
	}
}

func uplinkOf(value uint32) map[string]dbus.Variant {
	return map[string]dbus.Variant{
		"Interface": dbus.MakeVariant("eth0"), "Ip4Connectivity": dbus.MakeVariant(value), "Ip6Connectivity": dbus.MakeVariant(uint32(0)),
	}
}

func TestOnlyDevicesWithADefaultRouteAreReadAndOnlyOnDemand(t *testing.T) {
	w := observe(t, Uplinks())
	w.owner(":1.1")
	w.hearsProblem("NetworkManager is not asked")
	if w.service.Listening() > 0 || len(w.source.Matches()) > 0 {
		t.Error("it is listened to without a need")
	}
	w.observer.Demand(Watched)
	asked := w.called("GetAll")
	if w.service.Listening() == 0 {
		t.Error("it is asked before it is listened to")
	}
	bustest.Answer(asked, 1, nil, map[string]dbus.Variant{"ActiveConnections": paths(activeConnectionPath+"/", 1, 2)})
	bustest.Answer(w.called("GetAll"), 2, nil, uplinkConnection(true, 1))
	bustest.Answer(w.called("GetAll"), 3, nil, uplinkConnection(false, 2))
	device := w.called("GetAll")
	if device.Path != uplinkDevicePath+"1" {
		t.Errorf("asked for %s", device.Path)
	}
	bustest.Answer(device, 4, nil, uplinkOf(3))
	best := func() string {
		t.Helper()
		return bestUplink(w.hears()).reason
	}
	if got := best(); got != "eth0.Ip4Connectivity=Limited" {
		t.Errorf("at first: %s", got)
	}

	// A route moves to the other connection, and back.
	w.isDefault(5, activeConnectionPath+"/2", true)
	bustest.Answer(w.called("GetAll"), 6, nil, uplinkOf(4))
	if got := best(); got != "eth0.Ip4Connectivity=Full" {
		t.Errorf("with a second route: %s", got)
	}
	w.isDefault(7, activeConnectionPath+"/2", false)
	if got := best(); got != "eth0.Ip4Connectivity=Limited" {
		t.Errorf("without the second route: %s", got)
	}
	w.objectChanged(8, uplinkDevicePath+"2", networkManagerInterface+".Device", uplinkOf(1)) // not listened to
	w.isDefault(9, activeConnectionPath+"/2", true)
	bustest.Answer(w.called("GetAll"), 10, nil, uplinkOf(2)) // so it is read again
	if got := best(); got != "eth0.Ip4Connectivity=Portal" {
		t.Errorf("with the second route again: %s", got)
	}

	w.observer.Demand(Dormant)
	w.hearsProblem("NetworkManager is not asked")
	w.isDefault(11, activeConnectionPath+"/1", false)
	if len(w.calls) > 0 || w.service.Listening() > 0 {
		t.Error("it is read, or listened to, without a need")
	}
}

func TestAServiceThatIsNotRunningIsNotStartedForUplinks(t *testing.T) {
	w := observe(t, Uplinks())
	w.owner("")
	w.hearsProblem("NetworkManager is not asked")
	w.observer.Demand(Watched)
	w.hearsProblem("NetworkManager is not running")
}
