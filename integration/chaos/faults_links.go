package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// second is the profile of the second link, and the interfaces below are of other programs, which
// NetworkManager shows as profiles of these names.
const (
	second     = "second"
	secondUUID = "0b1ee2a6-8f5a-4f0c-8b52-7a3c8f8d1a04"

	foreignBridge = "docker0"
	foreignTunnel = "tun0"
)

// A port without DHCP asks for ever.
const secondProfile = "[connection]\nid=" + second + "\nuuid=" + secondUUID + "\ntype=ethernet\ninterface-name=" + sandbox.SecondInterface +
	"\n[ipv4]\nmethod=auto\nroute-metric=" + lastMetric + "\ndhcp-timeout=2147483647\n[ipv6]\nmethod=disabled\n"

// The metrics of the second link, which comes before the first or after it.
const (
	firstMetric = "50"
	lastMetric  = "600"
)

// startNetwork starts NetworkManager with both links, of which the second is unplugged.
func (w *World) startNetwork(ctx context.Context) error {
	path := w.sb.NM.ProfilePath(second)
	return errors.Join(
		os.MkdirAll(strings.TrimSuffix(path, "/"+second+".nmconnection"), 0o755),
		os.WriteFile(path, []byte(secondProfile), 0o600), // NetworkManager ignores profiles that others can read
		w.sb.Second.Uplink.Unplug(ctx),
		w.sb.NM.Start(ctx),
	)
}

func secondPlug(ctx context.Context, w *World, arg string) error {
	if arg == "out" {
		return w.sb.Second.Uplink.Unplug(ctx)
	}
	return w.sb.Second.Uplink.Plug(ctx)
}

func secondFlap(_ context.Context, w *World, arg string) error {
	return w.flap(arg, "the second cable flaps", func(ctx context.Context, forth bool) error {
		return secondPlug(ctx, w, map[bool]string{true: "out", false: "in"}[forth])
	})
}

func secondDHCP(ctx context.Context, w *World, arg string) error {
	if arg == "stop" {
		return w.sb.Second.Uplink.StopDHCP(ctx)
	}
	return w.sb.Second.Uplink.StartDHCP(ctx)
}

func secondCheck(ctx context.Context, w *World, mode string) error {
	if err := w.sb.Second.Check.Set(sandbox.CheckMode(mode)); err != nil {
		return err
	}
	return w.checkNow(ctx)
}

// secondMetric makes the second link come before the first one, or after it.
func secondMetric(ctx context.Context, w *World, metric string) error {
	if err := w.nmcli(ctx, "connection", "modify", "uuid", secondUUID, "ipv4.route-metric", metric); err != nil {
		return err
	}
	return w.nmcli(ctx, "device", "reapply", sandbox.SecondInterface)
}

// secondMended plays a user who does everything to reach the internet by the second link.
func secondMended(ctx context.Context, w *World, _ string) error {
	if err := errors.Join(secondDHCP(ctx, w, "start"), secondPlug(ctx, w, "in"), w.sb.Second.Check.Set(sandbox.Full)); err != nil {
		return err
	}
	return w.nmcli(ctx, "connection", "up", "uuid", secondUUID)
}

// foreign makes another program than NetworkManager add an interface, or remove it.
func foreign(ctx context.Context, w *World, device, arg string) error {
	if arg == "down" {
		return w.ip(ctx, "link delete "+device)
	}
	for _, words := range map[string][]string{
		foreignBridge: {"link add docker0 type bridge", "address add 172.17.0.1/16 dev docker0", "link set docker0 up"},
		foreignTunnel: {"tuntap add dev tun0 mode tun", "address add 10.99.0.1/24 dev tun0", "link set tun0 up"},
	}[device] {
		if err := w.ip(ctx, words); err != nil {
			return err
		}
	}
	return nil
}

func foreignBridges(ctx context.Context, w *World, arg string) error {
	return foreign(ctx, w, foreignBridge, arg)
}

func foreignVPN(ctx context.Context, w *World, arg string) error {
	return foreign(ctx, w, foreignTunnel, arg)
}

// foreignFlap makes a bridge come and go, as compose does.
func foreignFlap(_ context.Context, w *World, arg string) error {
	return w.flap(arg, "a foreign bridge flaps", func(ctx context.Context, forth bool) error {
		return foreign(ctx, w, foreignBridge, map[bool]string{true: "up", false: "down"}[forth])
	})
}

// ip runs ip(8), which may refuse.
func (w *World) ip(ctx context.Context, words string) error {
	out, err := exec.CommandContext(ctx, "ip", strings.Fields(words)...).CombinedOutput()
	var refused *exec.ExitError
	if errors.As(err, &refused) {
		w.note("  refused: ip %s: %s", words, strings.TrimSpace(string(out)))
		return nil
	}
	if err != nil {
		return fmt.Errorf("ip %s: %w", words, err)
	}
	return nil
}

// removeInterfaces removes the interfaces that a sandbox would leave behind.
func (w *World) removeInterfaces(ctx context.Context) error {
	var failed []error
	for _, device := range []string{foreignBridge, foreignTunnel, "brA", "brB"} {
		failed = append(failed, w.ip(ctx, "link delete "+device))
	}
	return errors.Join(failed...)
}
