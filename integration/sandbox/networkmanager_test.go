package sandbox_test

import (
	"syscall"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

func TestCheckModes(t *testing.T) {
	sb := up(t, sandbox.Options{})
	must(t, sb.NM.WaitConnectivity(deadline(t), sandbox.ConnectivityFull))
	for _, step := range []struct {
		mode sandbox.CheckMode
		want uint32
	}{
		{sandbox.PortalRedirect, sandbox.ConnectivityPortal},
		{sandbox.Full, sandbox.ConnectivityFull},
		{sandbox.PortalBody, sandbox.ConnectivityPortal},
		{sandbox.LimitedRefuse, sandbox.ConnectivityLimited},
		{sandbox.Full, sandbox.ConnectivityFull},
		{sandbox.Hang, sandbox.ConnectivityLimited},
		{sandbox.Full, sandbox.ConnectivityFull},
	} {
		must(t, sb.Check.Set(step.mode))
		got, err := sb.NM.CheckNow(deadline(t))
		must(t, err)
		if got != step.want {
			t.Errorf("check in mode %s gave %d, want %d", step.mode, got, step.want)
		}
		must(t, sb.NM.WaitConnectivity(deadline(t), step.want))
	}
}

func TestNetworkManagerProbesByItself(t *testing.T) {
	sb := up(t, sandbox.Options{Check: sandbox.PortalBody})
	must(t, sb.NM.WaitConnectivity(deadline(t), sandbox.ConnectivityPortal))
	must(t, sb.Check.Set(sandbox.Full))
	must(t, sb.NM.WaitConnectivity(deadline(t), sandbox.ConnectivityFull))
}

func TestCable(t *testing.T) {
	sb := up(t, sandbox.Options{Unplugged: true})
	must(t, sb.NM.WaitConnectivity(deadline(t), sandbox.ConnectivityNone))
	for range 2 {
		must(t, sb.Uplink.Plug(deadline(t)))
		must(t, sb.NM.WaitConnectivity(deadline(t), sandbox.ConnectivityFull))
		must(t, sb.Uplink.Unplug(deadline(t)))
		must(t, sb.NM.WaitConnectivity(deadline(t), sandbox.ConnectivityNone))
	}
}

func TestLateDHCP(t *testing.T) {
	sb := up(t, sandbox.Options{NoDHCP: true})
	const connecting = 40
	must(t, sb.NM.WaitState(deadline(t), connecting))
	must(t, sb.Uplink.StartDHCP(deadline(t)))
	must(t, sb.NM.WaitConnectivity(deadline(t), sandbox.ConnectivityFull))
	must(t, sb.Uplink.StopDHCP(deadline(t)))
}

func TestNetworkManagerLife(t *testing.T) {
	sb := up(t, sandbox.Options{NoNetworkManager: true})
	if _, err := sb.NM.State(deadline(t)); err == nil {
		t.Error("NetworkManager answers before it was started")
	}
	must(t, sb.NM.Start(deadline(t)))
	must(t, sb.NM.WaitConnectivity(deadline(t), sandbox.ConnectivityFull))
	must(t, sb.NM.Kill(deadline(t)))
	if _, err := sb.NM.State(deadline(t)); err == nil {
		t.Error("NetworkManager answers after it was killed")
	}
	must(t, sb.NM.Start(deadline(t)))
	must(t, sb.NM.WaitConnectivity(deadline(t), sandbox.ConnectivityFull))
	must(t, sb.NM.Restart(deadline(t)))
	must(t, sb.NM.Signal(syscall.SIGSTOP))
	must(t, sb.NM.Signal(syscall.SIGCONT))
	must(t, sb.NM.WaitConnectivity(deadline(t), sandbox.ConnectivityFull))

	const asleep = 10
	_, err := sb.NM.Nmcli(deadline(t), "networking", "off")
	must(t, err)
	must(t, sb.NM.WaitState(deadline(t), asleep))
	_, err = sb.NM.Nmcli(deadline(t), "networking", "on")
	must(t, err)
	must(t, sb.NM.WaitConnectivity(deadline(t), sandbox.ConnectivityFull))
}

func TestSystemBusRestart(t *testing.T) {
	sb := up(t, sandbox.Options{})
	must(t, sb.SystemBus.Kill(deadline(t)))
	if _, err := sb.SystemBus.Connect(deadline(t)); err == nil {
		t.Error("the system bus answers after it was killed")
	}
	must(t, sb.SystemBus.Start(deadline(t)))
	must(t, sb.Login1.Appear(deadline(t)))
	must(t, sb.NM.Restart(deadline(t)))
	must(t, sb.NM.WaitConnectivity(deadline(t), sandbox.ConnectivityFull))
}
