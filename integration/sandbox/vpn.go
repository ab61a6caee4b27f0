package sandbox

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const vpnDir = "/run/sandbox/vpn"

// The files of an openvpn server, in vpnDir.
const (
	vpnCertificate = vpnDir + "/certificate.pem" // of both ends, and the authority for itself
	vpnKey         = vpnDir + "/key.pem"
	vpnControl     = vpnDir + "/control"
)

// VPN is a real openvpn server at the other end of the cable of Interface.
type VPN struct {
	server *daemon
}

// StartVPN starts the server. The clients are those of NetworkManager's openvpn plugin.
func (sb *Sandbox) StartVPN(ctx context.Context) (*VPN, error) {
	if err := writeVPNFiles(); err != nil {
		return nil, fmt.Errorf("cannot prepare the VPN's server: %w", err)
	}
	cmd := exec.Command("openvpn",
		"--local", UplinkAddress, "--proto", "udp4",
		"--dev", "tunnels", "--dev-type", "tun", "--topology", "subnet", "--server", "10.98.0.0", "255.255.255.0",
		"--ca", vpnCertificate, "--cert", vpnCertificate, "--key", vpnKey, "--dh", "none", "--duplicate-cn",
		"--management", vpnControl, "unix",
		"--log-append", "/dev/stderr",
	)
	server, err := sb.Uplink.serve(ctx, "vpn", "Initialization Sequence Completed", cmd)
	if err != nil {
		return nil, err
	}
	return &VPN{server}, nil
}

// Data returns what NetworkManager's plugin needs to know to dial the server, as in vpn.data of nm-settings-nmcli(5).
func (v *VPN) Data() map[string]string {
	return map[string]string{
		"connection-type": "tls", "remote": UplinkAddress,
		"ca": vpnCertificate, "cert": vpnCertificate, "key": vpnKey, "cert-pass-flags": "4", // there is no password
	}
}

// Pause keeps the server from answering. Clients go on asking.
func (v *VPN) Pause() error { return v.server.signal(syscall.SIGSTOP) }

// Resume ends a pause.
func (v *VPN) Resume() error { return v.server.signal(syscall.SIGCONT) }

// Drop makes the server end the tunnels of all its clients.
func (v *VPN) Drop(ctx context.Context) error {
	var dialer net.Dialer
	control, err := dialer.DialContext(ctx, "unix", vpnControl)
	if err != nil {
		return err
	}
	defer control.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = control.SetDeadline(deadline) // it is a socket, which has deadlines
	}
	// https://openvpn.net/community-docs/management-interface.html
	if _, err := fmt.Fprintln(control, "status 3"); err != nil {
		return err
	}
	orders := "quit\n"
	lines := bufio.NewScanner(control)
	for lines.Scan() && lines.Text() != "END" {
		const client = 10 // the column of the client's number
		if columns := strings.Split(lines.Text(), "\t"); columns[0] == "CLIENT_LIST" && len(columns) > client {
			orders = "client-kill " + columns[client] + " HALT\n" + orders
		}
	}
	if _, err := io.WriteString(control, orders); err != nil {
		return err
	}
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "ERROR") {
			return fmt.Errorf("the VPN's server: %s", lines.Text())
		}
	}
	return lines.Err()
}

func writeVPNFiles() error {
	if err := os.MkdirAll(vpnDir, 0o755); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "vpn"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	for _, file := range []struct {
		name    string
		content []byte
		mode    os.FileMode
	}{
		{vpnCertificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}), 0o644},
		{vpnKey, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), 0o600},
	} {
		if err := os.WriteFile(file.name, file.content, file.mode); err != nil {
			return err
		}
	}
	return nil
}
