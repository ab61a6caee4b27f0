package doctor

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	nm "github.com/Wifx/gonetworkmanager/v2"
	"github.com/godbus/dbus/v5"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// link is a network device with an address and a default route.
type link struct {
	name string
	// managed is set if NetworkManager manages the device.
	managed bool
	// metric is the metric of the default route in the profile: the lowest is preferred.
	metric uint32
	// reaches is what it reaches over IPv4 and over IPv6.
	reaches [2]nm.NmConnectivity
}

// penalty is what NetworkManager adds to the metric of a device's default route as long as
// the device does not reach the internet (default_route_metric_penalty_get in nm-device.c).
const penalty = 20000

func (l link) reach(c nm.NmConnectivity) bool { return slices.Contains(l.reaches[:], c) }

// askLinks asks NetworkManager for the devices that have a default route, including devices
// that it does not manage.
func askLinks(ctx context.Context, root object, properties properties) []link {
	var links []link
	for _, path := range property[[]dbus.ObjectPath](properties, "Devices") {
		device, err := root.at(path).all(ctx, observers.NetworkManager().Name+".Device")
		if err != nil {
			continue // the device may be gone already
		}
		l := link{name: device.text("Interface"), managed: device.is("Managed"), metric: math.MaxUint32}
		hasRoute := false
		for i, version := range []string{"4", "6"} {
			l.reaches[i] = nm.NmConnectivity(property[uint32](device, "Ip"+version+"Connectivity"))
			config := property[dbus.ObjectPath](device, "Ip"+version+"Config")
			if config == "" || config == "/" {
				continue
			}
			if metric, has := defaultRoute(ctx, root.at(config), version); has {
				l.metric, hasRoute = min(l.metric, metric), true
			}
		}
		if hasRoute {
			links = append(links, l)
		}
	}
	return links
}

// defaultRoute returns the metric of the default route of an IP configuration that has an
// address.
func defaultRoute(ctx context.Context, config object, version string) (metric uint32, has bool) {
	all, err := config.all(ctx, observers.NetworkManager().Name+".IP"+version+"Config")
	if err != nil || len(property[[]map[string]dbus.Variant](all, "AddressData")) == 0 {
		return 0, false
	}
	metric = math.MaxUint32
	for _, route := range property[[]map[string]dbus.Variant](all, "RouteData") {
		route := properties(route)
		if _, known := route["prefix"]; known && property[uint32](route, "prefix") == 0 {
			metric, has = min(metric, property[uint32](route, "metric")), true
		}
	}
	if has && metric >= penalty {
		metric -= penalty
	}
	return metric, has
}

// links finds out why internet-online.target does not follow what the links reach.
func (sys *system) links() []Finding {
	m := sys.machine
	isAsleep := nm.NmState(property[uint32](m.networkManager.properties, "State")) == nm.NmStateAsleep // networking is off
	if !m.networkManager.is("ConnectivityCheckEnabled") || !m.networkManager.is("ConnectivityCheckAvailable") || m.networkManager.is("Startup") || isAsleep {
		return nil
	}
	var managed, unmanaged []link
	for _, l := range m.links {
		if l.managed {
			managed = append(managed, l)
		} else {
			unmanaged = append(unmanaged, l)
		}
	}
	reaches := func(c nm.NmConnectivity) int {
		return slices.IndexFunc(managed, func(l link) bool { return l.reach(c) })
	}
	best := reaches(nm.NmConnectivityFull)
	switch {
	case best >= 0:
		return sys.notPreferred(managed, managed[best])
	case reaches(nm.NmConnectivityPortal) >= 0:
		return nil // internet-portal.target says so
	case len(managed) > 0:
		return sys.blocked(managed)
	case len(unmanaged) > 0 && m.networkManager.text("PrimaryConnectionType") == "":
		return sys.unmanaged(unmanaged)
	}
	return nil
}

// notPreferred finds a link that would be preferred if it reached the internet.
func (sys *system) notPreferred(managed []link, best link) []Finding {
	first := slices.MinFunc(managed, func(a, b link) int { return cmp.Compare(a.metric, b.metric) })
	if first.reach(nm.NmConnectivityFull) || first.metric == best.metric || first.reaches == [2]nm.NmConnectivity{} {
		return nil
	}
	word := "does not reach the internet"
	if first.reach(nm.NmConnectivityPortal) {
		word = "is behind a portal that wants a sign-in"
	}
	return []Finding{{
		What: fmt.Sprintf("%s, which has the preferred route, %s, so %s decides", first.name, word, best.name),
		Why:  "one link that reaches the internet is enough for internet-online.target, and NetworkManager prefers its route meanwhile",
		Mend: byHand("connect " + first.name + " to the internet, or disconnect it: nmcli device disconnect " + systemdctl.Quote(first.name)),
	}}
}

// unmanaged finds default routes if NetworkManager itself has none.
func (sys *system) unmanaged(links []link) []Finding {
	var names []string
	for _, l := range links {
		names = append(names, l.name)
	}
	return []Finding{{
		What: "NetworkManager has no default route, but " + listed(names) + ", which it does not manage, has one",
		Why:  "NetworkManager cannot say what that device reaches, so internet-offline.target stays active",
		Mend: byHand("make NetworkManager manage " + names[0] + ", which interrupts it: remove it from /etc/network/interfaces, from systemd-networkd or from unmanaged-devices= in NetworkManager.conf; until then, " + sys.Program + " set internet online"),
	}}
}

// checkInterval is how often NetworkManager checks connectivity, unless it is told
// otherwise (NetworkManager.conf(5), interval=). A problem that lasts longer is not just
// one failed check.
const checkInterval = 5 * time.Minute

// blocked finds links that may reach the internet although the check says they do not.
func (sys *system) blocked(links []link) []Finding {
	offline := sys.user.unit("internet-offline.target")
	since := time.Duration(property[uint64](offline.properties, "ActiveEnterTimestampMonotonic")) * time.Microsecond
	lasted := sys.monotonic - since
	held := property[map[string]string](sys.user.bridge, client.OverridesProperty)
	if _, isHeld := held["internet"]; isHeld || !offline.active() || lasted < checkInterval || sys.user.bridge.text(client.PropertyOf("internet")) != "offline" {
		return nil
	}
	name := links[0].name
	return []Finding{{
		What: fmt.Sprintf("NetworkManager's check has not reached the internet for %v, although %s has an address and a default route", lasted.Truncate(time.Minute), name),
		Why:  "if web pages open all the same, the network blocks the check at " + sys.machine.networkManager.text("ConnectivityCheckUri") + ", and internet-online.target is never reached; with --online-when=limited a default route is enough",
		Mend: sys.onlineWhenLimited(),
	}}
}

// onlineWhenLimited gives the service one more flag.
func (sys *system) onlineWhenLimited() Mend {
	const flag = "--online-when=limited"
	s := sys.user.unit(systemdctl.ServiceName)
	all, _ := readAll(s) // a file that cannot be read leaves no line to change
	_, start := all.startLine()
	_, line, _ := strings.Cut(start.text, "=")
	where := sys.placeOf(s, all, dropInName)
	if start.text == "" || where.source != "" {
		return byHand("add " + flag + " with systemctl --user edit " + s.name + "; then " + anew)
	}
	return run(where.write(map[string][]string{"Service": {"ExecStart=", "ExecStart=" + strings.TrimSpace(line) + " " + flag}}) + " && " + anew)
}
