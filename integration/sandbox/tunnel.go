package sandbox

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Tunnel is an interface whose packets come out at the other end of the cable,
// like those of a VPN program.
type Tunnel struct {
	// Near and Far are the addresses of the ends.
	Near, Far string

	ends [2]*os.File
}

// StartTunnel makes a tunnel with this name. The near end has no address yet.
func (u *Uplink) StartTunnel(ctx context.Context, name string) (*Tunnel, error) {
	const far = "tunnel"
	t := &Tunnel{Near: "10.99.0.1", Far: "10.99.0.2"}
	var err error
	if t.ends[0], err = openTunnel(name); err != nil {
		return nil, err
	}
	err = u.do(func() error {
		var err error
		t.ends[1], err = openTunnel(far)
		return err
	})
	if err == nil {
		err = join(u.ip(ctx, "address add "+t.Far+"/24 dev "+far), u.ip(ctx, "link set "+far+" up"))
	}
	if err != nil {
		return nil, join(err, t.Close())
	}
	go carry(t.ends[0], t.ends[1])
	go carry(t.ends[1], t.ends[0])
	return t, nil
}

// carry takes packets from one end to the other until the tunnel is closed.
func carry(from, to *os.File) {
	packet := make([]byte, 1<<16)
	for {
		n, err := from.Read(packet)
		if err != nil {
			return
		}
		_, _ = to.Write(packet[:n]) // it is lost while the interface is down
	}
}

// Close ends the tunnel and removes its interfaces.
func (t *Tunnel) Close() error {
	var errs []error
	for _, end := range t.ends {
		if end != nil {
			errs = append(errs, end.Close())
		}
	}
	return join(errs...)
}

// openTunnel makes a network interface that is there until the file is closed. The file carries its packets
// (https://docs.kernel.org/networking/tuntap.html).
func openTunnel(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot make the tunnel %s: %w", name, err)
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		return nil, join(fmt.Errorf("cannot make the tunnel %s: %w", name, err), unix.Close(fd))
	}
	// Only now, because a file without its interface cannot be waited for.
	return os.NewFile(uintptr(fd), name), nil
}
