package doctor

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The file names what starts its unit, and next to that what never will.
func TestNamesOfTheSystemManagerBesideOurs(t *testing.T) {
	const follows = "[Unit]\nAfter=internet-online.target\nPartOf=internet-online.target\n[Service]\nExecStart=/bin/chat\n[Install]\n"
	for name, test := range map[string]struct{ install, what, after string }{
		"in one line":       {"WantedBy=multi-user.target internet-online.target\n", "multi-user.target in WantedBy= is a unit of the system manager", "WantedBy=internet-online.target\n"},
		"in lines":          {"WantedBy=network-online.target\nWantedBy=internet-online.target\n", "network-online.target in WantedBy= is a unit of the system manager", "WantedBy=internet-online.target\n"},
		"several":           {"WantedBy=network-online.target internet-online.target multi-user.target\n", "network-online.target in WantedBy= and multi-user.target in WantedBy= are units of the system manager", "WantedBy=internet-online.target\n"},
		"in After= as well": {"WantedBy=internet-online.target network-online.target\n[Unit]\nAfter=network-online.target\n", "network-online.target in WantedBy= is a unit", "WantedBy=internet-online.target\n[Unit]\nAfter=network-online.target\n"},
		"an existing one":   {"WantedBy=default.target internet-online.target\n", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			sys := healthy(t)
			sys.isSystemUnit = func(name string) bool {
				return name == "multi-user.target" || name == "network-online.target"
			}
			sys.put("default.target", "LoadState", "loaded")
			sys.own(t, "chat.service", follows+test.install)
			sys.put("internet-online.target", "Wants", []string{"chat.service"})
			found := sys.examine().Findings
			if test.what == "" {
				if len(found) > 0 {
					t.Errorf("it says %q", found)
				}
				return
			}
			if len(found) != 1 || !strings.HasPrefix(found[0].What, "chat.service: "+test.what) {
				t.Fatalf("it says %q", found)
			}
			command, applies := strings.CutSuffix(found[0].Command, " && systemctl --user daemon-reload")
			if !applies {
				t.Fatalf("it is mended by %q", found[0])
			}
			for range 2 {
				if out, err := exec.Command("/bin/sh", "-c", command).CombinedOutput(); err != nil {
					t.Fatalf("%s: %v: %s", command, err, out)
				}
			}
			path := sys.user.unit("chat.service").text("FragmentPath")
			if content, err := os.ReadFile(path); err != nil || string(content) != follows+test.after {
				t.Errorf("%s made %s (%v)", command, content, err)
			}
			if found := sys.examine().Findings; len(found) > 0 {
				t.Errorf("then it says %q", found)
			}
		})
	}
}
