package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// scene is something that happens outside, and the states that it must lead to.
type scene struct {
	title    string
	happens  func(context.Context) error
	expected expectation
}

// expectation lists the units that are active, those that are not, and how
// often units have been started since the morning.
type expectation struct {
	active, inactive []string
	starts           map[string]int
}

// wait waits for the states, and for the starts to have happened.
func (e expectation) wait(ctx context.Context, timeline *sandbox.Timeline) error {
	for _, unit := range e.active {
		if err := timeline.Wait(ctx, unit, "active"); err != nil {
			return err
		}
	}
	for _, unit := range e.inactive {
		if err := timeline.Wait(ctx, unit, "inactive"); err != nil {
			return err
		}
	}
	for unit, starts := range e.starts {
		if err := timeline.WaitStarts(ctx, unit, starts); err != nil {
			return err
		}
	}
	return nil
}

// check returns an error if something is not as expected once nothing changes
// any more.
func (e expectation) check(timeline *sandbox.Timeline) error {
	for _, unit := range e.active {
		if state := timeline.State(unit); state != "active" {
			return fmt.Errorf("%s is %s", unit, state)
		}
	}
	for _, unit := range e.inactive {
		if state := timeline.State(unit); state != "inactive" {
			return fmt.Errorf("%s is %s", unit, state)
		}
	}
	for unit, starts := range e.starts {
		if got := timeline.Starts(unit); got != starts {
			return fmt.Errorf("%s was started %d times, not %d", unit, got, starts)
		}
	}
	return nil
}

// day is the day of the palmtop, in order.
func day(sb *sandbox.Sandbox, program string) []scene {
	const online, offline, portal = "internet-online.target", "internet-offline.target", "internet-portal.target"
	const mailbox = "watch-mailbox.service"
	check := func(ctx context.Context, mode sandbox.CheckMode) error {
		if err := sb.Check.Set(mode); err != nil {
			return err
		}
		_, err := sb.NM.CheckNow(ctx)
		return err
	}
	return []scene{
		{
			"morning, no network: nm-session-bridge install --now (NetworkManager looks for a cable for 5 or 6 s)",
			func(context.Context) error { return run(sb.Command(program, "install", "--now")) },
			expectation{[]string{offline, "lid-open.target"}, []string{online, portal, mailbox}, map[string]int{mailbox: 0, "alert-offline.service": 1}},
		},
		{
			"the cable is plugged in: DHCP, and the whole internet",
			sb.Uplink.Plug,
			expectation{[]string{online, mailbox}, []string{offline, portal}, map[string]int{mailbox: 1, "alert-online.service": 1}},
		},
		{
			"a captive portal gets in the way",
			func(ctx context.Context) error { return check(ctx, sandbox.PortalRedirect) },
			expectation{[]string{offline, portal}, []string{online, mailbox}, map[string]int{"alert-offline.service": 2, "alert-portal.service": 1}},
		},
		{
			"signed in",
			func(ctx context.Context) error { return check(ctx, sandbox.Full) },
			expectation{[]string{online, mailbox}, []string{offline, portal}, map[string]int{mailbox: 2, "alert-online.service": 2}},
		},
		{
			"the cable is pulled (the bridge waits for a switch that moves so often to be still)",
			sb.Uplink.Unplug,
			expectation{[]string{offline}, []string{online, portal, mailbox}, map[string]int{"alert-offline.service": 3}},
		},
		{
			"the cable is back (it waits again)",
			sb.Uplink.Plug,
			expectation{[]string{online, mailbox}, []string{offline, portal}, map[string]int{mailbox: 3, "alert-online.service": 3}},
		},
		{
			"the lid is closed",
			func(context.Context) error { return sb.Login1.SetLid(true) },
			expectation{[]string{"lid-closed.target"}, []string{"lid-open.target"}, map[string]int{"screen-off.service": 1, "radios-off.service": 1}},
		},
		{
			"the lid is opened",
			func(context.Context) error { return sb.Login1.SetLid(false) },
			expectation{[]string{"lid-open.target", mailbox}, []string{"lid-closed.target"}, map[string]int{"screen-on.service": 2, "radios-on.service": 2, mailbox: 3}},
		},
	}
}

// files are the user's: the units of the blog post, word for word, and oneshots
// of their kind. The post's script that watched the route is not enabled,
// because the bridge replaces it.
func files() map[string]string {
	const units = ".config/systemd/user/"
	oneshot := func(target, commandLine string) string {
		return "[Service]\nType=oneshot\nExecStart=" + commandLine + "\n\n[Install]\nWantedBy=" + target + "\n"
	}
	return map[string]string{
		"bin/emailsync.py": "#!/usr/bin/python3\nimport signal\nsignal.pause()\n",
		"bin/ratpoison":    "#!/bin/sh\n",
		"bin/xset":         "#!/bin/sh\n",
		"bin/rfkill":       "#!/bin/sh\n",
		units + "internet-online.target": `[Unit]
Description=There is a default route so it looks like we are on the internet
Conflicts=internet-offline.target
`,
		units + "internet-offline.target": `[Unit]
Description=There is no default route so it looks like we are not on the internet
Conflicts=internet-online.target
`,
		units + "watch-mailbox.service": `[Unit]
Description=Watch mailbox for new email
BindsTo=internet-online.target

[Service]
Type=simple
ExecStart=/home/gemini/bin/emailsync.py

[Install]
WantedBy=internet-online.target
`,
		units + "watch-networking.service": `[Unit]
Description=Notify when network online /offline

[Service]
Type=simple
ExecStart=/home/gemini/bin/routetest.py

[Install]
WantedBy=default.target
`,
		units + "alert-online.service":  oneshot("internet-online.target", "/home/gemini/bin/ratpoison -c 'echo online'"),
		units + "alert-offline.service": oneshot("internet-offline.target", "/home/gemini/bin/ratpoison -c 'echo offline'"),
		units + "alert-portal.service":  oneshot("internet-portal.target", "/home/gemini/bin/ratpoison -c 'echo sign in'"),
		units + "screen-off.service":    oneshot("lid-closed.target", "/home/gemini/bin/xset dpms force off"),
		units + "radios-off.service":    oneshot("lid-closed.target", "/home/gemini/bin/rfkill block all"),
		units + "screen-on.service":     oneshot("lid-open.target", "/home/gemini/bin/xset dpms force on"),
		units + "radios-on.service":     oneshot("lid-open.target", "/home/gemini/bin/rfkill unblock all"),
	}
}

// furnish writes the user's files and enables the units that can be enabled.
func furnish(sb *sandbox.Sandbox) error {
	enable := []string{"enable"}
	for name, content := range files() {
		mode := os.FileMode(0o644)
		if strings.HasPrefix(name, "bin/") {
			mode = 0o755
		}
		if err := sb.WriteFile(name, []byte(content), mode); err != nil {
			return err
		}
		if filepath.Ext(name) == ".service" && filepath.Base(name) != "watch-networking.service" {
			enable = append(enable, filepath.Base(name))
		}
	}
	slices.Sort(enable[1:])
	if _, err := sb.Systemctl("daemon-reload"); err != nil {
		return err
	}
	_, err := sb.Systemctl(enable...)
	return err
}

func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}
