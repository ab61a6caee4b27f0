package sandbox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Interface is the network interface that NetworkManager manages, SecondInterface the one of the second link.
const (
	Interface       = "eth0"
	SecondInterface = "eth1"
)

// UplinkAddress is the address of the server of the connectivity check, whatever cable leads to it.
const UplinkAddress = "192.0.2.1"

// cable is a cable and the network at its other end: one host that is router, DHCP and DNS server and the whole
// internet.
type cable struct {
	near, far string // interfaces
	address   string // of the router
	leases    string // as dnsmasq has them
}

// The addresses are TEST-NET-1 and TEST-NET-2 of RFC 5737.
func firstCable() cable {
	return cable{Interface, "uplink", UplinkAddress, "192.0.2.100,192.0.2.199,1h"}
}

func secondCable() cable {
	return cable{SecondInterface, "uplink2", "198.51.100.1", "198.51.100.100,198.51.100.199,1h"}
}

// The sandbox's own network namespace is named by init's process, because our threads come and go.
const (
	homeProcess   = "1"
	homeNamespace = "/proc/" + homeProcess + "/ns/net"
)

// Uplink is the network that an interface is plugged into. It lives in a separate network namespace.
type Uplink struct {
	// NoRouter makes StartDHCP start a server whose leases name no router.
	NoRouter bool

	sb        *Sandbox
	cable     cable
	namespace *os.File
	dnsmasq   *daemon
}

// newUplink makes the namespace and the cable, with the far end unplugged.
func newUplink(ctx context.Context, sb *Sandbox, cable cable) (*Uplink, error) {
	namespace, err := newNetworkNamespace()
	if err != nil {
		return nil, fmt.Errorf("cannot make the uplink's network namespace: %w", err)
	}
	u := &Uplink{sb: sb, cable: cable, namespace: namespace}
	err = join(
		ip(ctx, "link set lo up"),
		u.ip(ctx, "link set lo up"),
		u.ip(ctx, "link add "+cable.far+" type veth peer name "+cable.near+" netns "+homeProcess),
		u.ip(ctx, "address add "+cable.address+"/24 dev "+cable.far),
		u.ip(ctx, "address replace "+UplinkAddress+"/32 dev lo"),
		// The interface is up before NetworkManager starts, because the kernel may drop the first DHCP
		// offer to an interface that just came up. It has no address, because NetworkManager would
		// otherwise leave it to whoever set one.
		ip(ctx, "link set "+cable.near+" addrgenmode none"),
		ip(ctx, "link set "+cable.near+" up"),
	)
	if err != nil {
		return nil, join(err, u.close())
	}
	return u, nil
}

// close removes the cable and the namespace.
func (u *Uplink) close() error {
	// The kernel would remove it some time after the namespace, but the next sandbox needs the name
	// now.
	return join(u.ip(context.Background(), "link delete "+u.cable.far), u.namespace.Close())
}

// Plug gives the interface a carrier.
func (u *Uplink) Plug(ctx context.Context) error {
	return u.ip(ctx, "link set "+u.cable.far+" up")
}

// Unplug removes the interface's carrier.
func (u *Uplink) Unplug(ctx context.Context) error {
	return u.ip(ctx, "link set "+u.cable.far+" down")
}

// StartDHCP starts the DHCP and DNS server. A client that asked before gets its answer when it asks again.
func (u *Uplink) StartDHCP(ctx context.Context) error {
	if u.dnsmasq.running() {
		return nil
	}
	cmd := exec.Command("dnsmasq",
		"--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root",
		"--log-facility=-", "--log-dhcp",
		"--interface="+u.cable.far, "--bind-dynamic",
		"--no-resolv", "--no-hosts", "--address=/#/"+UplinkAddress,
		"--dhcp-range="+u.cable.leases, "--dhcp-leasefile=/run/sandbox/leases."+u.cable.near, "--dhcp-authoritative",
		"--no-ping", // otherwise it pings the offered address for three seconds
	)
	if u.NoRouter {
		cmd.Args = append(cmd.Args, "--dhcp-option=option:router")
	}
	var err error
	u.dnsmasq, err = u.serve(ctx, "dnsmasq-"+u.cable.near, "started, version", cmd) // said once the sockets are bound
	return err
}

// StopDHCP ends the DHCP and DNS server: requests are no longer answered, leases stay.
func (u *Uplink) StopDHCP(ctx context.Context) error {
	return u.dnsmasq.stop(ctx, syscall.SIGTERM)
}

// do runs a function in the uplink's namespace. Sockets and processes that it creates stay there.
func (u *Uplink) do(f func() error) error {
	return onOwnThread(func() error {
		if err := unix.Setns(int(u.namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("cannot join the uplink's network namespace: %w", err)
		}
		return f()
	})
}

// ip runs ip(8) at the uplink.
func (u *Uplink) ip(ctx context.Context, words string) error {
	return u.do(func() error { return ip(ctx, words) })
}

func ip(ctx context.Context, words string) error {
	_, err := output(exec.CommandContext(ctx, "ip", strings.Fields(words)...))
	return err
}

func newNetworkNamespace() (*os.File, error) {
	var namespace *os.File
	err := onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		var err error
		namespace, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	return namespace, err
}

// onOwnThread runs a function that moves its thread into another network namespace, and moves it back.
func onOwnThread(f func() error) error {
	home, err := os.Open(homeNamespace)
	if err != nil {
		return err
	}
	defer home.Close()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := f()
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
			// The thread stays locked, so it ends with this goroutine.
			done <- join(err, fmt.Errorf("cannot leave a network namespace: %w", back))
			return
		}
		runtime.UnlockOSThread()
		done <- err
	}()
	return <-done
}
