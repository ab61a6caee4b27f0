package chaos

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// office is the name of the profile of the VPN.
const office = "Mein Büro"

// spare is a profile besides the cable's.
type spare struct{ uuid, name, rest string }

// spares returns the spare profiles by their names in faults. Two of them are bridges, which need
// nothing else to be up.
func spares() map[string]spare {
	bridge := func(device string) string {
		return "type=bridge\ninterface-name=" + device + "\nautoconnect=false\n[bridge]\nstp=false\n[ipv4]\nmethod=disabled\n[ipv6]\nmethod=disabled\n"
	}
	return map[string]spare{
		"a":   {"0b1ee2a6-8f5a-4f0c-8b52-7a3c8f8d1a01", "Home Wifi", bridge("brA")},
		"b":   {"0b1ee2a6-8f5a-4f0c-8b52-7a3c8f8d1a02", "Café/5 GHz", bridge("brB")},
		"vpn": {"0b1ee2a6-8f5a-4f0c-8b52-7a3c8f8d1a03", office, "type=vpn\nautoconnect=false\n[vpn]\nservice-type=" + fakes.VPNService + "\n[ipv4]\nmethod=auto\n[ipv6]\nmethod=disabled\n"},
	}
}

// nmcli makes root ask NetworkManager for something that it may refuse, and does not wait for the
// effect.
func (w *World) nmcli(ctx context.Context, args ...string) error {
	if !w.busUp || !w.nmUp || w.nmFrozen {
		return skipped("NetworkManager does not listen")
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := w.sb.NM.Nmcli(ctx, append([]string{"--wait", "0"}, args...)...)
	var refused *exec.ExitError
	if errors.As(err, &refused) {
		w.note("  refused: %v", err)
		return nil
	}
	return err
}

// profileUp brings a spare profile up. It adds the profile if necessary.
func profileUp(ctx context.Context, w *World, which string) error {
	s := spares()[which]
	path := w.sb.NM.ProfilePath(which)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		content := fmt.Sprintf("[connection]\nid=%s\nuuid=%s\n%s", s.name, s.uuid, s.rest)
		// NetworkManager ignores profiles that others can read.
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return err
		}
		if err := w.nmcli(ctx, "connection", "load", path); err != nil {
			return err
		}
	}
	return w.nmcli(ctx, "connection", "up", "uuid", s.uuid)
}

func profileDown(ctx context.Context, w *World, which string) error {
	return w.nmcli(ctx, "connection", "down", "uuid", spares()[which].uuid)
}

func profileDelete(ctx context.Context, w *World, which string) error {
	return w.nmcli(ctx, "connection", "delete", "uuid", spares()[which].uuid)
}

// profileRename gives a profile another name, which another profile may have already.
func profileRename(ctx context.Context, w *World, arg string) error {
	which, instance, found := strings.Cut(arg, "=")
	if !found {
		return fmt.Errorf("cannot read the renaming %q, which should be like a=Home", arg)
	}
	// If a name existed only while the profile came up, the bridge and the model may differ on
	// whether they saw it.
	for _, name := range instances() {
		w.round.moved["connection@"+name+".target"]++
	}
	uuid := spares()[which].uuid
	switch which {
	case home:
		uuid = sandbox.HomeUUID
	case second:
		uuid = secondUUID
	}
	return w.nmcli(ctx, "connection", "modify", "uuid", uuid, "connection.id", nameOf(instance))
}

// metered makes the cable's profile say whether it is metered.
func metered(ctx context.Context, w *World, arg string) error {
	if err := w.nmcli(ctx, "connection", "modify", "uuid", sandbox.HomeUUID, "connection.metered", arg); err != nil {
		return err
	}
	return w.nmcli(ctx, "device", "reapply", sandbox.Interface)
}

// vpnCrash ends the program that keeps the VPN.
func vpnCrash(ctx context.Context, w *World, _ string) error {
	if !w.busUp {
		return skipped("there is no system bus")
	}
	_ = w.standIns.vpnsOn.Close() // it may have gone with the bus
	return w.startVPNs(ctx)
}
