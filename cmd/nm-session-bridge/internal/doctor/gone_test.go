package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// link makes a link in a directory of units to start, as systemctl enable does.
func (sys *system) link(t *testing.T, dir, target, name, to string) {
	t.Helper()
	wants := filepath.Join(dir, target+".wants")
	if err := os.MkdirAll(wants, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, filepath.Join(wants, name)); err != nil {
		t.Fatal(err)
	}
	sys.put(target, "Wants", append(sys.user.unit(target).texts("Wants"), name))
	if _, known := sys.user.all[name]; !known {
		sys.put(name, "LoadState", "not-found")
	}
	sys.user.links = sys.user.startLinks()
}

func TestTargetsWantUnitsThatDoNotExist(t *testing.T) {
	for name, test := range map[string]struct {
		to         string // in the home
		what, mend string
		hand       bool
	}{
		"its file is gone":              {"units/sync.service", "sync.service, which internet-online.target wants, does not exist", "remove the link HOME/units/internet-online.target.wants/sync.service", true},
		"its file is somewhere else":    {"dotfiles/sync.service", "is no unit: its file HOME/dotfiles/sync.service is not in a directory of units", "systemctl --user link HOME/dotfiles/sync.service", false},
		"its file has another name":     {"dotfiles/other.service", "is not in a directory of units", "put the unit's file into ", true},
		"its link has another name":     {"units/other.service", "sync.service, which internet-online.target wants, does not exist: the link of that name leads to other.service", "remove the link HOME/units/internet-online.target.wants/sync.service; then systemctl --user daemon-reload", true},
		"a file of the target names it": {"", "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			if err := os.MkdirAll(filepath.Join(home, "dotfiles"), 0o755); err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{"sync.service", "other.service"} {
				if err := os.WriteFile(filepath.Join(home, "dotfiles", file), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			sys := healthy(t)
			sys.user.manager = bag("UnitPath", []string{filepath.Join(home, "units")})
			if test.to == "units/other.service" {
				if err := os.MkdirAll(filepath.Join(home, "units"), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(home, test.to), nil, 0o644); err != nil {
					t.Fatal(err)
				}
				sys.user.files = []unitFile{{filepath.Join(home, test.to), "disabled"}}
			}
			if test.to == "" {
				sys.put("internet-online.target", "Wants", []string{"sync.service"})
				sys.put("sync.service", "LoadState", "not-found")
			} else {
				sys.link(t, filepath.Join(home, "units"), "internet-online.target", "sync.service", filepath.Join(home, test.to))
			}
			found := sys.examine().Findings
			if test.what == "" {
				if len(found) > 0 {
					t.Errorf("it says %q", found)
				}
				return
			}
			in := func(words string) string { return strings.ReplaceAll(words, "HOME", home) }
			if len(found) != 1 || !strings.Contains(found[0].What, in(test.what)) || !strings.Contains(found[0].Command+found[0].ByHand, in(test.mend)) || (found[0].ByHand != "") != test.hand {
				t.Errorf("it says %q", found)
			}
		})
	}
}

func TestATimerWithoutItsService(t *testing.T) {
	const content = "[Unit]\nPartOf=internet-online.target\nAfter=internet-online.target\n[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=internet-online.target\n"
	sys := healthy(t)
	home := t.TempDir()
	sys.user.manager = bag("UnitPath", []string{home})
	sys.own(t, "backup.timer", content, "Triggers", []string{"backup.service"}, "ActiveState", "inactive", "Job", []any{uint32(0), "/"})
	sys.put("backup.service", "LoadState", "not-found")
	sys.own(t, "backups.service", "[Service]\nExecStart=/bin/true\n")
	if found := sys.examine().Findings; len(found) != 2 || !strings.Contains(found[1].What, "not enabled") || found[0].Command+found[1].Command != "" {
		t.Errorf("of a timer that is not enabled it says %q", found)
	}
	sys.link(t, home, "internet-online.target", "backup.timer", sys.user.unit("backup.timer").text("FragmentPath"))
	sys.put("internet-online.target", "ActiveState", "active")
	found := sys.examine().Findings
	if len(found) != 1 || found[0].What != "backup.timer: backup.service, which it starts, does not exist" ||
		!strings.HasPrefix(found[0].ByHand, "write backup.service, or name another unit with Unit= in backup.timer, such as backups.service; then ") {
		t.Errorf("it says %q", found)
	}
	sys.put("backup.service", "LoadState", "loaded")
	sys.put("backup.timer", "ActiveState", "active")
	if found := sys.examine().Findings; len(found) > 0 {
		t.Errorf("then it says %q", found)
	}
}

// Somebody has copied the unit's file instead of linking it, or mistaken the directory for a file.
func TestWhatIsInPlaceOfALink(t *testing.T) {
	const wants = "internet-online.target.wants"
	for path, is := range map[string]string{wants + "/sync.service": "link", wants: "directory"} {
		home := t.TempDir()
		units := filepath.Join(home, "systemd/user")
		if err := os.MkdirAll(filepath.Dir(filepath.Join(units, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(units, path), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		sys := healthy(t)
		sys.user.manager = bag("UnitPath", []string{units})
		sys.own(t, "sync.service", "[Unit]\nAfter=internet-online.target\nPartOf=internet-online.target\n[Service]\nExecStart=/bin/sync\n[Install]\nWantedBy=internet-online.target\n")
		want := "move " + filepath.Join(units, path) + " away, because it is not a " + is + "; then systemctl --user daemon-reload && systemctl --user enable sync.service"
		if found := sys.examine().Findings; len(found) != 1 || found[0].ByHand != want {
			t.Errorf("of %s it says %q", path, found)
		}
	}
}
