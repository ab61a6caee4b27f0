package chaos

import (
	"context"
	"errors"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
)

const (
	upowerName = "org.freedesktop.UPower"
	upowerPath = dbus.ObjectPath("/org/freedesktop/UPower")
)

// standIns are the stand-ins for daemons on the system bus.
type standIns struct {
	upower           *fakes.UPower
	upowerOn, vpnsOn *dbus.Conn
}

func (s standIns) close() {
	for _, conn := range []*dbus.Conn{s.upowerOn, s.vpnsOn} {
		if conn != nil {
			_ = conn.Close() // the bus may have gone
		}
	}
}

// startStandIns starts the stand-ins that are meant to run.
func (w *World) startStandIns(ctx context.Context) error {
	var err error
	if w.power.upower {
		err = w.startUPower(ctx)
	}
	return errors.Join(err, w.startVPNs(ctx))
}

func (w *World) startUPower(ctx context.Context) (err error) {
	if w.standIns.upowerOn, err = w.sb.SystemBus.Connect(ctx); err != nil {
		return err
	}
	w.standIns.upower, err = fakes.NewUPower(ctx, w.standIns.upowerOn, w.power.battery)
	return err
}

func (w *World) startVPNs(ctx context.Context) (err error) {
	if w.standIns.vpnsOn, err = w.sb.SystemBus.Connect(ctx); err != nil {
		return err
	}
	vpn, err := fakes.NewVPN(ctx, w.standIns.vpnsOn)
	if err != nil {
		return err
	}
	gone := w.standIns.vpnsOn.Context().Done()
	go func() {
		for {
			select {
			case <-vpn.Connects:
				_ = vpn.Establish() // the bus may go
			case <-gone:
				return
			}
		}
	}()
	return nil
}

// setPower plugs the machine in or unplugs it. The positions are noted first: the bridge may be quick.
func (w *World) setPower(battery bool) error {
	w.power.battery = battery
	w.goes()
	w.sb.Login1.SetExternalPower(!battery)
	if !w.power.upower || !w.busUp {
		return nil
	}
	return w.standIns.upower.SetOnBattery(battery)
}

func movePower(_ context.Context, w *World, arg string) error { return w.setPower(arg == "battery") }

func powerFlap(_ context.Context, w *World, arg string) error {
	return w.flap(arg, "the power flaps", func(context.Context, bool) error { return w.setPower(!w.power.battery) })
}

func upowerGone(_ context.Context, w *World, _ string) error {
	if !w.power.upower {
		return nil
	}
	w.power.upower = false
	w.goes()
	_ = w.standIns.upowerOn.Close() // the bus may have gone
	return nil
}

func upowerBack(ctx context.Context, w *World, _ string) error {
	if !w.busUp || w.power.upower {
		return skipped("there is no need or no system bus")
	}
	w.power.upower, w.round.reborn = true, true
	w.goes()
	return w.startUPower(ctx)
}

func upowerRestart(ctx context.Context, w *World, arg string) error {
	d, err := time.ParseDuration(arg)
	if err != nil {
		return err
	}
	w.afterwards(d, "UPower is back", func(ctx context.Context) error { return upowerBack(ctx, w, "") })
	return upowerGone(ctx, w, "")
}
