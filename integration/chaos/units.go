package chaos

import "strings"

// bridgeUnit is the bridge's own service.
const bridgeUnit = "nm-session-bridge.service"

// lockersWord is how the locker says that it has ended.
const lockersWord = "OnSuccess=unlock.target\n"

// locker is the service that runs while the screen is locked, and whose end unlocks it.
const locker = "locker.service"

// service is a service of the user that a target wants.
type service struct {
	name, target string
	// lasts is set if it runs as long as its target is active, instead of once.
	lasts bool
	// pulls is set if a start by hand also starts its target.
	pulls   bool
	content string
}

// nap is the service that runs once for each sleep.
const nap = "at-sleep.service"

// The user changes how long slow units take, in seconds, and the status of those that may fail.
const (
	slowness = "slowness"
	outcome  = "outcome"
)

func services() []service {
	once := func(name, target, command string) service {
		return service{name: name, target: target, content: "[Service]\nType=oneshot\nExecStart=" + command + "\n[Install]\nWantedBy=" + target + "\n"}
	}
	const (
		slow = "/bin/sh -c 'exec sleep $(cat %h/" + slowness + ")'"
		fail = "/bin/sh -c 'exit $(cat %h/" + outcome + ")'"
	)
	while := func(name, target, more string) service {
		return service{name: name, target: target, lasts: true, content: strings.ReplaceAll(`[Unit]
After=TARGET
PartOf=TARGET
Requisite=TARGET
`+more+`[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=TARGET
`, "TARGET", target)}
	}
	all := []service{
		while("sync.service", "internet-online.target", ""),
		while("backup.service", "power-ac.target", ""),
		while("updates.service", "network-unmetered.target", ""),
		while("share.service", "vpn-up.target", ""),
		while("mirror.service", `connection@Home\x20Wifi.target`, ""),
		while(locker, "lock.target", lockersWord),
		{name: "mailbox.service", target: "internet-online.target", lasts: true, pulls: true, content: `[Unit]
BindsTo=internet-online.target
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=internet-online.target
`},
		once("slow-offline.service", "internet-offline.target", slow),
		once("slow-closed.service", "lid-closed.target", slow),
		once("failing-online.service", "internet-online.target", fail),
		once("failing-closed.service", "lid-closed.target", fail),
	}
	for _, a := range aspects() {
		for _, target := range a.all {
			name := strings.ReplaceAll(strings.TrimSuffix(target, ".target"), "@", "-")
			all = append(all, once("at-"+name+".service", target, "/bin/true"))
		}
	}
	return all
}
