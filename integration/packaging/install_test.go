package packaging

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	service = "nm-session-bridge.service"
	link    = "/etc/systemd/user/default.target.wants/" + service
)

// packageManager are the commands of a distribution.
type packageManager struct {
	install, upgrade, remove, list []string
	// purge forgets what removal has kept, if there is such a thing.
	purge []string
}

func packageManagers(t *testing.T) map[string]packageManager {
	t.Helper()
	// The triggers of other packages take long. The machine's packages are Debian's, so
	// others know none of what ours depends on.
	dpkg := []string{"dpkg", "--no-triggers"}
	rpm := []string{"rpm", "--dbpath", "/var/lib/rpm", "--nodeps"}
	if help, err := exec.Command("rpm", "--help").Output(); err != nil {
		t.Fatal(err)
	} else if force := "--force-debian"; strings.Contains(string(help), force) {
		rpm = append(rpm, force) // which Debian 12's rpm insists on, and Debian 13's does not know
	}
	pacman := []string{"pacman", "--noconfirm", "--config", "/run/pacman.conf", "--dbpath", "/var/lib/pacman"}
	with := func(command []string, more ...string) []string { return append(slices.Clone(command), more...) }
	return map[string]packageManager{
		"deb": {
			install: with(dpkg, "--install"), upgrade: with(dpkg, "--install"), list: []string{"dpkg", "--listfiles", "nm-session-bridge"},
			remove: with(dpkg, "--remove", "nm-session-bridge"), purge: with(dpkg, "--purge", "nm-session-bridge"),
		},
		"rpm": {
			install: with(rpm, "--install"), upgrade: with(rpm, "--upgrade"),
			list:   []string{"rpm", "--dbpath", "/var/lib/rpm", "--query", "--list", "nm-session-bridge"},
			remove: with(rpm, "--erase", "nm-session-bridge"),
		},
		"archlinux": {
			install: with(pacman, "-Udd"), upgrade: with(pacman, "-Udd"), list: with(pacman, "-Qlq", "nm-session-bridge"),
			remove: with(pacman, "-Rdd", "nm-session-bridge"),
		},
	}
}

// begin makes a root for a package manager, with both packages of its format.
func begin(t *testing.T, format string) *root {
	t.Helper()
	r := newRoot(t)
	for _, folder := range []string{"older", "newer"} {
		r.take(packaged(t, format, folder), "/run/"+folder+formats()[format], 0o644)
	}
	r.must(os.WriteFile(r.path("/run/pacman.conf"), []byte("[options]\nArchitecture = auto\n"), 0o644))
	for _, dir := range []string{
		"/var/lib/rpm", "/var/lib/pacman", "/etc/systemd/user-preset",
		"/usr/share/licenses", "/usr/share/zsh/site-functions", // of the distributions' own packages
	} {
		r.must(os.MkdirAll(r.path(dir), 0o755))
	}
	if format == "archlinux" { // where sh is bash
		r.must(os.Remove(r.path("/usr/bin/sh")))
		r.must(os.Symlink("bash", r.path("/usr/bin/sh")))
	}
	return r
}

// run runs a command of a package manager.
func (r *root) run(command []string, more ...string) {
	r.Helper()
	r.Log(r.do(command[0], append(slices.Clone(command[1:]), more...)...))
}

// A package is installed, upgraded and removed while a user is logged in whose manager
// cannot be trusted and never stops answering.
func TestPackagesTouchNoUsersManager(t *testing.T) {
	for format, manager := range packageManagers(t) {
		t.Run(format, func(t *testing.T) {
			r := begin(t, format)
			evil := r.admit()
			before := r.files()

			r.run(manager.install, "/run/older"+formats()[format])
			r.isComplete(manager.list)
			if r.exists(link) {
				t.Error("the service is enabled for everybody, against the preset")
			}
			r.do(realSystemctl, "--global", "enable", service) // as an administrator may
			r.run(manager.upgrade, "/run/newer"+formats()[format])
			if said := r.do("/usr/bin/nm-session-bridge", "version"); !strings.HasPrefix(said, "nm-session-bridge 9999.0 ") {
				t.Errorf("the upgrade has installed %s", said)
			}
			if !r.exists(link) {
				t.Error("the upgrade has disabled what the administrator had enabled")
			}
			r.run(manager.remove)
			if manager.purge != nil {
				r.run(manager.purge)
			}

			for name := range r.files() {
				if !before[name] {
					t.Errorf("left %s", name)
				}
			}
			if asked := evil.asked.Load(); asked > 0 {
				t.Errorf("the user's manager was asked %d times", asked)
			}
			calls := r.calls()
			t.Logf("systemctl was called with\n%s", calls)
			if strings.Contains(calls, poison) {
				t.Errorf("the user's manager was believed:\n%s", calls)
			}
		})
	}
}

// The administrator's preset decides about a first installation.
func TestPackagesFollowThePreset(t *testing.T) {
	for format, manager := range packageManagers(t) {
		t.Run(format, func(t *testing.T) {
			r := begin(t, format)
			r.must(os.WriteFile(r.path("/etc/systemd/user-preset/10-site.preset"), []byte("enable "+service+"\n"), 0o644))
			r.run(manager.install, "/run/older"+formats()[format])
			if !r.exists(link) {
				t.Error("the service is not enabled for everybody, against the administrator's preset")
			}
		})
	}
}

// isComplete checks that an installed package has everything that a user would look for.
func (r *root) isComplete(list []string) {
	r.Helper()
	has := map[string]bool{}
	for name := range strings.FieldsSeq(r.do(list[0], list[1:]...)) {
		has[strings.TrimSuffix(name, "/")] = true
		if !r.exists(name) {
			r.Errorf("%s was not installed", name)
		}
	}
	want := []string{
		"/usr/bin/nm-session-bridge",
		"/usr/lib/systemd/user-preset/90-nm-session-bridge.preset",
		"/usr/share/bash-completion/completions/nm-session-bridge",
		"/usr/share/fish/vendor_completions.d/nm-session-bridge.fish",
		"/usr/share/dbus-1/interfaces/org.nmsessionbridge.Bridge1.xml",
	}
	const repository = "../.."
	units, err := filepath.Glob(filepath.Join(repository, "systemdctl/units/*"))
	r.must(err)
	pages, err := filepath.Glob(filepath.Join(repository, "cmd/nm-session-bridge/dist/*.[1-8]"))
	r.must(err)
	if len(units) == 0 || len(pages) == 0 {
		r.Fatal("there are no units or no pages")
	}
	for _, unit := range units {
		want = append(want, "/usr/lib/systemd/user/"+filepath.Base(unit))
	}
	for _, page := range pages {
		want = append(want, "/usr/share/man/man"+filepath.Ext(page)[1:]+"/"+filepath.Base(page)+".gz")
	}
	for _, name := range want {
		if !has[name] {
			r.Errorf("the package has no %s", name)
		}
	}
	for _, alternatives := range [][]string{
		{"/usr/share/zsh/vendor-completions/_nm-session-bridge", "/usr/share/zsh/site-functions/_nm-session-bridge"},
		{"/usr/share/doc/nm-session-bridge/copyright", "/usr/share/licenses/nm-session-bridge/LICENSE"},
		{"/usr/share/doc/nm-session-bridge/changelog.gz", "/usr/share/doc/nm-session-bridge/CHANGELOG.md"},
	} {
		if !has[alternatives[0]] && !has[alternatives[1]] {
			r.Errorf("the package has none of %v", alternatives)
		}
	}
	for name := range has {
		info, err := os.Lstat(r.path(name))
		if err != nil || strings.HasPrefix(filepath.Base(name), ".") {
			continue
		}
		mode := fs.FileMode(0o644)
		if info.IsDir() || name == "/usr/bin/nm-session-bridge" {
			mode = 0o755
		}
		if info.Mode().Perm() != mode {
			r.Errorf("%s has the mode %v", name, info.Mode())
		}
	}
	r.do("systemd-analyze", "verify", "--user", "--man=no", "/usr/lib/systemd/user/"+service)
}
