package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLinesThatSystemdIgnores(t *testing.T) {
	const follows = "After=internet-online.target\nPartOf=internet-online.target\n[Service]\nExecStart=/bin/chat\n"
	const wanted = "[Install]\nWantedBy=internet-online.target\n"
	for name, test := range map[string]struct {
		content, said, what, mend string
	}{
		"a misspelt key": {
			"[Unit]\nAfterr=x.service\n" + follows + wanted, "F:2: Unknown key 'Afterr' in section [Unit], ignoring.",
			"Afterr= under [Unit]", "write After= instead of Afterr= in line 2; then systemctl --user daemon-reload",
		},
		"as systemd 252 says it": {
			"[Unit]\nAfterr=x.service\n" + follows + wanted, "F:2: Unknown key name 'Afterr' in section 'Unit', ignoring.",
			"Afterr= under [Unit]", "write After= instead of Afterr= in line 2; then systemctl --user daemon-reload",
		},
		"several": {
			"[Unit]\nafter=x.service\n" + follows + "ExexStop=/bin/true\n" + wanted, "F:2: Unknown key 'after' in section [Unit], ignoring.\nF:7: Unknown key 'ExexStop' in section [Service], ignoring.\n",
			"after= under [Unit] and ExexStop= under [Service]", "write After= instead of after= in line 2 and write ExecStop= instead of ExexStop= in line 7; then",
		},
		"a key under another section": {
			"[Unit]\n" + follows + "PartOf=x.service\n" + wanted, "F:6: Unknown key 'PartOf' in section [Service], ignoring.",
			"PartOf= under [Service]", "write PartOf= under [Unit] instead of line 6; then",
		},
		"a misspelt section": {
			"[Unit]\n" + follows + wanted + "[instal]\nAlias=talk.service\n", "F:8: Unknown section 'instal'. Ignoring.",
			"[instal]", "write [Install] instead of [instal] in line 8; then systemctl --user daemon-reload && systemctl --user enable chat.service",
		},
		"a line without effect beside the right one": {
			"[Unit]\nWantedBy=internet-online.target\n" + follows + wanted, "F:2: Unknown key 'WantedBy' in section [Unit], ignoring.", "", "",
		},
		"a dependency beside the right one": {
			"[Unit]\n" + follows + "Partof=internet-online.target\n" + wanted, "F:6: Unknown key 'Partof' in section [Service], ignoring.", "", "",
		},
		"a key of a newer systemd": {
			"[Unit]\n" + follows + "RestartSteps=3\nRestartMode=direct\n" + wanted + "UpheldBy=internet-online.target\n",
			"F:6: Unknown key 'RestartSteps' in section [Service], ignoring.\nF:7: Unknown key 'RestartMode' in section [Service], ignoring.\nF:9: Unknown key 'UpheldBy' in section [Install], ignoring.", "", "",
		},
		"a key that nobody knows": {
			"[Unit]\nColour=red\n" + follows + wanted, "F:2: Unknown key 'Colour' in section [Unit], ignoring.", "", "",
		},
		"a section of another program": {
			"[Unit]\n" + follows + wanted + "[Container]\nImage=x\n", "F:8: Unknown section 'Container'. Ignoring.", "", "",
		},
		"a line of another file": {
			"[Unit]\n" + follows + wanted, "/etc/hostname:1: Unknown key 'Afterr' in section [Unit], ignoring.", "", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			sys := healthy(t)
			sys.own(t, "chat.service", test.content)
			sys.put("internet-online.target", "Wants", []string{"chat.service"})
			path := sys.user.unit("chat.service").text("FragmentPath")
			sys.ignored = ignoredIn(strings.ReplaceAll(test.said, "F:", path+":"))
			found := sys.examine().Findings
			if test.what == "" {
				if len(found) > 0 {
					t.Errorf("it says %q", found)
				}
				return
			}
			if len(found) != 1 || found[0].What != "chat.service: systemd ignores "+test.what || !strings.HasPrefix(found[0].ByHand, fmt.Sprintf("in %s, %s", path, test.mend)) {
				t.Errorf("it says %q", found)
			}
		})
	}
}

// The command of another finding says the same.
func TestAnIgnoredDependencyThatIsMendedIsNotFoundTwice(t *testing.T) {
	sys := healthy(t)
	sys.own(t, "chat.service", "[Unit]\nAfter=internet-online.target\n[Service]\nExecStart=/bin/chat\nPartOf=internet-online.target\n[Install]\nWantedBy=internet-online.target\n")
	sys.put("internet-online.target", "Wants", []string{"chat.service"})
	sys.ignored = []ignored{{sys.user.unit("chat.service").text("FragmentPath"), "5", "Service", "PartOf"}}
	if found := sys.examine().Findings; len(found) != 1 || !strings.Contains(found[0].What, "nothing stops it") {
		t.Errorf("it says %q", found)
	}
}

// The command of another finding writes the line anew.
func TestAnIgnoredLineThatIsMendedIsNotFoundTwice(t *testing.T) {
	for _, section := range []string{"Unit", "install"} {
		sys := healthy(t)
		sys.own(t, "chat.service", "[Service]\nExecStart=/bin/chat\n["+section+"]\nWantedBy=internet-online.target\n")
		path := sys.user.unit("chat.service").text("FragmentPath")
		sys.ignored = []ignored{{path, "4", "Unit", "WantedBy"}}
		if section != "Unit" {
			sys.ignored = []ignored{{path, "3", "install", ""}}
		}
		found := sys.examine().Findings
		if len(found) != 1 || !strings.Contains(found[0].What, "systemd ignores WantedBy=internet-online.target under ["+section+"]") || found[0].Command == "" {
			t.Errorf("it says %q", found)
		}
	}
}

func TestAMisspeltProgram(t *testing.T) {
	sys := healthy(t)
	sys.own(t, "chat.service", "[Service]\nExexStart=/bin/chat\n")
	sys.put("chat.service", "LoadState", "bad-setting")
	path := sys.user.unit("chat.service").text("FragmentPath")
	sys.ignored = []ignored{{path, "2", "Service", "ExexStart"}}
	found := sys.examine().Findings
	if len(found) != 1 || found[0].What != "chat.service cannot be loaded (bad-setting): systemd ignores ExexStart= under [Service]" ||
		found[0].ByHand != "in "+path+", write ExecStart= instead of ExexStart= in line 2; then systemctl --user daemon-reload" {
		t.Errorf("it says %q", found)
	}
}

// The numbers of lines are those of one file.
func TestIgnoredLinesOfSeveralFiles(t *testing.T) {
	sys := healthy(t)
	dropIn := filepath.Join(t.TempDir(), "later.conf")
	if err := os.WriteFile(dropIn, []byte("[Service]\nrestart=always\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	sys.own(t, "chat.service", "[Unit]\nafter=x.service\nAfter=internet-online.target\nPartOf=internet-online.target\n[Service]\nExecStart=/bin/chat\n[Install]\nWantedBy=internet-online.target\n",
		"DropInPaths", []string{dropIn})
	sys.put("internet-online.target", "Wants", []string{"chat.service"})
	path := sys.user.unit("chat.service").text("FragmentPath")
	sys.ignored = []ignored{{path, "2", "Unit", "after"}, {dropIn, "2", "Service", "restart"}}
	found := sys.examine().Findings
	if len(found) != 2 || !strings.HasPrefix(found[0].ByHand, "in "+path+", write After= instead of after= in line 2; ") ||
		!strings.HasPrefix(found[1].ByHand, "in "+dropIn+", write Restart= instead of restart= in line 2; ") {
		t.Errorf("it says %q", found)
	}
}
