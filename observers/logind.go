package observers

import (
	"fmt"
	"time"
)

const logind = "org.freedesktop.login1"

// Logind is the source of what systemd-logind says of the machine.
//
// LidClosed is signalled by systemd 256 and newer, and by 255 since 255.3
// (https://github.com/systemd/systemd/pull/30706); whether this one does is read
// from its introspection data, for distributions patch.
func Logind() Source {
	return Source{
		Name:         logind,
		Label:        "logind",
		Path:         "/org/freedesktop/login1",
		Interface:    "org.freedesktop.login1.Manager",
		Properties:   map[string]string{"LidClosed": "b"},
		CheckSignals: true,
		// With the lid closed, logind 257 first signals LidClosed=false and true
		// only 14 ms later, some 100 ms after its start.
		Settling: 500 * time.Millisecond,
	}
}

// lid reads the position of the lid switch. A machine without a lid counts as
// open, for logind says so.
func lid(policy Policy) func(World) Reading {
	return func(world World) Reading {
		facts := world[logind]
		closed, known := facts.Bool("LidClosed")
		switch {
		case facts.Problem != "":
			return Reading{Reason: facts.Problem, After: policy.GoneGrace}
		case facts.Unsignalled("LidClosed"):
			return Reading{Reason: "this logind does not signal LidClosed (systemd 256 and newer does)"}
		case !known:
			return Reading{Reason: "logind does not tell LidClosed", After: policy.GoneGrace}
		}
		reading := Reading{Position: "open", Reason: fmt.Sprintf("LidClosed=%t", closed)}
		if closed {
			reading.Position = "closed"
		}
		return reading
	}
}
