// Package sandbox brings up the environment of the bridge in namespaces that do not touch
// the machine and leave nothing behind. They are a distribution's own dbus-daemon or
// dbus-broker, NetworkManager with a network that it can lose, systemd --user with its
// session bus, systemd-journald, and a stand-in for logind. The package needs root, Linux
// 5.14 and the packages of needs.Sandbox, from the machine or from a Debian suite (see
// Enter).
//
// Call Enter first in main or TestMain, then Up as often as wanted, one after the other.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/nm-session-bridge/nm-session-bridge/integration/fakes"
	"github.com/nm-session-bridge/nm-session-bridge/integration/needs"
)

// Options choose how a sandbox starts. The zero value is a machine that is plugged in, gets an address and
// reaches the internet, with a logind 257 and its lid open.
type Options struct {
	// NoNetworkManager leaves NetworkManager to NM.Start.
	NoNetworkManager bool
	// UserManagesNetwork lets the user change the network, as polkit lets a user at the machine.
	UserManagesNetwork bool
	// Unplugged leaves the cable to Uplink.Plug.
	Unplugged bool
	// NoDHCP leaves the DHCP server to Uplink.StartDHCP.
	NoDHCP bool
	// SecondLink adds SecondInterface with a cable, a network and a profile, "second", of its own. Its routes come
	// after those of Interface.
	SecondLink bool
	// Check is how the connectivity check's server answers; empty means Full.
	Check CheckMode
	// Login1 is the logind to imitate; empty means fakes.Logind257.
	Login1 fakes.Generation
	// NoLogin1 leaves the fake off the bus until Login1.Appear.
	NoLogin1 bool
	// NoSession starts without a display session of the user.
	NoSession bool
	// LidClosed starts with a closed lid.
	LidClosed bool
	// JournalStorage is journald's Storage=; empty means persistent.
	JournalStorage string
	// Bus is the system bus, and SessionBus the user's; empty means the distribution's usual one.
	Bus, SessionBus Bus
	// LogDir is a directory for the daemons' output and, at the end, the journal; empty means that
	// nothing is kept.
	LogDir string
}

// Sandbox is a running sandbox.
type Sandbox struct {
	SystemBus *SystemBus
	NM        *NetworkManager
	Uplink    *Uplink
	Check     *Check
	Second    *Link // or nil
	Login1    *fakes.Login1
	UPower    *UPower
	User      *UserManager

	logDir   string
	keepLog  bool
	journald *daemon
	session  *os.File // the cgroup of the user's login session
}

// stateDir holds the sandbox's own files, and marks that one is up.
const stateDir = "/run/sandbox"

// ErrBusy is returned by Up while another sandbox is up.
var ErrBusy = errors.New("another sandbox is up in this process's namespaces")

// Up brings up a sandbox. It returns when every daemon is ready; NetworkManager may still be
// connecting, see NM.WaitConnectivity. The context bounds the start only. After an error everything
// is down again.
func Up(ctx context.Context, options Options) (*Sandbox, error) {
	if os.Getenv(stageVariable) != stageInside {
		return nil, errors.New("cannot bring up a sandbox: not inside, call Enter first")
	}
	if err := needs.Check(needs.Sandbox()); err != nil {
		return nil, fmt.Errorf("cannot bring up a sandbox: %w", err)
	}
	if _, err := os.Stat(stateDir); err == nil {
		return nil, fmt.Errorf("cannot bring up a sandbox: %w", ErrBusy)
	}
	if err := mountState(); err != nil {
		return nil, fmt.Errorf("cannot bring up a sandbox: %w", err)
	}
	sb := &Sandbox{}
	if err := sb.up(ctx, options); err != nil {
		return nil, fmt.Errorf("cannot bring up a sandbox: %w", join(err, sb.Down()))
	}
	return sb, nil
}

func (sb *Sandbox) up(ctx context.Context, options Options) error {
	if err := sb.prepare(options); err != nil {
		return err
	}
	if err := sb.startJournal(ctx, options.JournalStorage); err != nil {
		return err
	}
	sb.SystemBus = &SystemBus{sb: sb, kind: options.Bus}
	if err := sb.SystemBus.Start(ctx); err != nil {
		return err
	}
	if err := sb.startLogin1(ctx, options); err != nil {
		return err
	}
	if err := sb.startUplink(ctx, options); err != nil {
		return err
	}
	sb.UPower = &UPower{sb: sb}
	sb.NM = &NetworkManager{sb: sb}
	if options.UserManagesNetwork {
		if err := sb.NM.letUserManage(); err != nil {
			return err
		}
	}
	sb.User = &UserManager{sb: sb, bus: options.SessionBus}
	user := make(chan error, 1)
	go func() { user <- sb.User.Start(ctx) }()
	var err error
	if !options.NoNetworkManager {
		err = sb.NM.Start(ctx)
	}
	return join(err, <-user)
}

// prepare makes the directories and cgroups that the parts below share.
func (sb *Sandbox) prepare(options Options) error {
	sb.logDir, sb.keepLog = options.LogDir, options.LogDir != ""
	if !sb.keepLog {
		sb.logDir = stateDir + "/log"
	}
	// The first directory makes systemd's tools believe that systemd runs the machine.
	for _, dir := range []string{"/run/systemd/system", "/run/lock", "/run/user", stateDir, sb.logDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	group, err := makeCgroup(sessionScope)
	if err != nil {
		return err
	}
	sb.session, err = group.open()
	return err
}

func (sb *Sandbox) startLogin1(ctx context.Context, options Options) error {
	generation := options.Login1
	if generation == "" {
		generation = fakes.Logind257
	}
	var err error
	sb.Login1, err = fakes.NewLogin1(SystemBusAddress, generation)
	if err != nil {
		return err
	}
	if err := errors.Join(sb.Login1.SetLid(options.LidClosed), sb.Login1.SetSession(UID, !options.NoSession)); err != nil {
		return err
	}
	if options.NoLogin1 {
		return nil
	}
	return sb.Login1.Appear(ctx)
}

func (sb *Sandbox) startUplink(ctx context.Context, options Options) error {
	var err error
	sb.Uplink, err = newUplink(ctx, sb, firstCable())
	if err != nil {
		return err
	}
	if options.SecondLink {
		if err := sb.startSecond(ctx); err != nil {
			return err
		}
	}
	mode := options.Check
	if mode == "" {
		mode = Full
	}
	sb.Check, err = newCheck(sb.Uplink, mode)
	if err != nil {
		return err
	}
	if !options.NoDHCP {
		if err := sb.Uplink.StartDHCP(ctx); err != nil {
			return err
		}
	}
	if options.Unplugged {
		return nil
	}
	return sb.Uplink.Plug(ctx)
}

// Down ends every process of the sandbox, commands of the user included, and takes its network, cgroups and
// files away.
func (sb *Sandbox) Down() error {
	failed := []error{sb.saveJournal()}
	if sb.Login1 != nil {
		failed = append(failed, sb.Login1.Vanish())
	}
	for _, group := range []cgroup{cgroupRoot + "/user.slice", cgroupRoot + "/system.slice"} {
		failed = append(failed, group.kill(), group.remove())
	}
	if sb.session != nil {
		failed = append(failed, sb.session.Close())
	}
	if sb.Check != nil {
		failed = append(failed, sb.Check.Set(LimitedRefuse))
	}
	if sb.Uplink != nil {
		failed = append(failed, sb.Uplink.close())
	}
	if sb.Second != nil {
		failed = append(failed, sb.Second.close())
	}
	failed = append(failed, unmountState())
	if err := join(failed...); err != nil {
		return fmt.Errorf("cannot take the sandbox down: %w", err)
	}
	return nil
}
