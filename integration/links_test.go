package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// everyFiveMinutes is how often NetworkManager checks connectivity unless it is
// told otherwise, so that it is slow to notice.
const everyFiveMinutes = "[connectivity]\ninterval=300\n"

// beginWithTwoLinks brings up a sandbox with two links that both reach the
// internet. NetworkManager has this configuration, and has finished its start.
func beginWithTwoLinks(t *testing.T, config string) *scene {
	t.Helper()
	s := begin(t, sandbox.Options{SecondLink: true, NoNetworkManager: true})
	s.configure(config)
	s.must(s.NM.Start(s.ctx))
	s.reaches(sandbox.Interface, sandbox.ConnectivityFull)
	s.reaches(sandbox.SecondInterface, sandbox.ConnectivityFull)
	s.until("the startup is over", func() bool {
		out, err := s.NM.Nmcli(s.ctx, "-g", "STARTUP", "general")
		return err == nil && out == "started"
	})
	return s
}

// reaches waits until NetworkManager says what a device reaches.
func (s *scene) reaches(device string, connectivity uint32) {
	s.Helper()
	s.until(fmt.Sprintf("%s reaches %d", device, connectivity), func() bool {
		out, err := s.NM.Nmcli(s.ctx, "-g", "GENERAL.IP4-CONNECTIVITY", "device", "show", device)
		return err == nil && strings.HasPrefix(out, fmt.Sprint(connectivity))
	})
}

// isNamed reports whether some words name the second device, if that decides. Since
// 1.58 NetworkManager's own Connectivity is that of the link that reaches most.
func (s *scene) isNamed(words string) bool {
	s.Helper()
	global, err := s.NM.Connectivity(s.ctx)
	s.must(err)
	return global == sandbox.ConnectivityFull || strings.Contains(words, "eth1.Ip4Connectivity=Full")
}

// configure adds a file to NetworkManager's configuration.
func (s *scene) configure(config string) {
	s.Helper()
	const dir = "/run/sandbox/networkmanager/conf.d"
	s.must(os.MkdirAll(dir, 0o755))
	s.must(os.WriteFile(dir+"/test.conf", []byte(config), 0o644))
}

// until waits for a condition that nothing signals.
func (s *scene) until(what string, isSo func() bool) {
	s.Helper()
	for !isSo() {
		select {
		case <-s.ctx.Done():
			s.Fatalf("it does not come to be that %s", what)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// reads waits until the facts of a switch contain some words.
func (s *scene) reads(name, words string) {
	s.Helper()
	s.until("the "+name+" reads "+words, func() bool {
		var r report
		s.must(json.Unmarshal([]byte(s.user("~/.local/bin/nm-session-bridge status --json")), &r))
		return strings.Contains(r.Facts[name+".reads"], words)
	})
}

func TestTheSecondLinkDecidesWhereTheFirstDoesNotReachTheInternet(t *testing.T) {
	for _, test := range []struct {
		name         string
		first        sandbox.CheckMode
		config       string
		connectivity uint32
	}{
		{"refused", sandbox.LimitedRefuse, "", sandbox.ConnectivityLimited},
		{"refused, seldom checked", sandbox.LimitedRefuse, everyFiveMinutes, sandbox.ConnectivityLimited},
		{"behind a portal", sandbox.PortalRedirect, "", sandbox.ConnectivityPortal},
		{"behind a portal, seldom checked", sandbox.PortalRedirect, everyFiveMinutes, sandbox.ConnectivityPortal},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := beginWithTwoLinks(t, test.config)
			s.check(test.first)
			s.reaches(sandbox.Interface, test.connectivity)
			s.enable("sync.service", syncUnit)
			s.flags("--limited-grace=500ms")
			s.install()
			s.online()
			s.waitLog("internet is online")
			if log := s.log(); !s.isNamed(log) {
				t.Errorf("the log does not name the device:\n%s", log)
			}
			if status := s.user("nm-session-bridge status"); !s.isNamed(status) {
				t.Errorf("the status does not name the device:\n%s", status)
			}
			s.started("sync.service", 1)
			s.started("internet-offline.target", 0)
			s.started("internet-portal.target", 0)
		})
	}
}

func TestTheSecondLinkKeepsTheInternetThere(t *testing.T) {
	for name, config := range map[string]string{"often checked": "", "seldom checked": everyFiveMinutes} {
		t.Run(name, func(t *testing.T) {
			s := beginWithTwoLinks(t, config)
			s.enable("sync.service", syncUnit)
			s.flags("--limited-grace=500ms")
			s.install()
			s.online()
			s.check(sandbox.LimitedRefuse)
			s.reaches(sandbox.Interface, sandbox.ConnectivityLimited)
			s.until("the status names the device", func() bool { return s.isNamed(s.user("nm-session-bridge status")) })
			s.check(sandbox.Full)
			s.reaches(sandbox.Interface, sandbox.ConnectivityFull)
			s.must(s.Uplink.Unplug(s.ctx))
			s.until("the first link is down", func() bool {
				out, err := s.NM.Nmcli(s.ctx, "-g", "GENERAL.STATE", "device", "show", sandbox.Interface)
				return err == nil && strings.HasPrefix(out, "20")
			})
			s.online()
			s.must(s.Uplink.Plug(s.ctx))
			s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityFull))
			s.reads("internet", "Connectivity=Full State")
			s.started("sync.service", 1)
			s.started("internet-online.target", 1)
			s.started("internet-offline.target", 0)
		})
	}
}
