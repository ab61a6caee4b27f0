package doctor

import (
	"path/filepath"
	"slices"
)

// podmanWait waits until the system manager has reached network-online.target, for 90 s at
// most. Since podman 5.3, Quadlet makes each container of a user wait for it, unless the
// container's file says otherwise (podman-systemd.unit(5), "Quadlet section").
const podmanWait = "podman-user-wait-network-online.service"

// waitsTwice finds a container that waits for the network of the system manager although it
// follows a target of ours.
func (c unitCheck) waitsTwice() []Finding {
	if !slices.Contains(c.texts("After"), podmanWait) {
		return nil
	}
	i := slices.IndexFunc(c.targets, func(target string) bool {
		return !slices.Contains(c.momentary(), target) && (slices.Contains(c.wanters(c.name), target) || slices.Contains(c.files.installs(), target))
	})
	if i < 0 {
		return nil
	}
	f := Finding{
		What: c.name + ": it waits for " + podmanWait + " as well as " + c.targets[i],
		Why:  "that wait lasts until the system manager reaches network-online.target, at most 90 s: the container may start that much later, and the wait says nothing about the internet",
		Mend: byEdit("remove " + podmanWait + " from After= and Wants= of " + c.name),
	}
	if source := c.text("SourcePath"); filepath.Ext(source) != ".service" && source != "" {
		f.Mend = byEdit("in " + source + ", add DefaultDependencies=false under [Quadlet]")
	}
	return []Finding{f}
}

// containers finds out whether the containers' wait for the network timed out, unless the
// machine starts that target and was merely offline.
func (sys *system) containers() []Finding {
	wait := sys.user.unit(podmanWait)
	if wait.text("ActiveState") != "failed" || wait.text("Result") != "timeout" || sys.isSystemUnit("multi-user.target.wants/network-online.target") {
		return nil
	}
	return []Finding{{
		Unit: podmanWait,
		What: podmanWait + " timed out waiting for the system manager's network-online.target",
		Why:  "multi-user.target does not want that target; if nothing else does, each of your containers starts 90 s late",
		Mend: run("sudo systemctl add-wants multi-user.target network-online.target && sudo systemctl start network-online.target && systemctl --user restart " + podmanWait),
	}}
}
