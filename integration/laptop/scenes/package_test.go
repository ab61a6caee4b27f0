package scenes

import (
	"os"
	"slices"
	"strings"
	"testing"
)

const (
	olderPackage = "/usr/local/lib/laptop/older.deb"
	newerPackage = "/usr/local/lib/laptop/newer.deb"
	// The image leaves such files out of all packages, to be smaller.
	whole = "--path-include='/usr/share/*'"
)

// apt resolves dependencies. dpkg, which does the work, is quicker.
func (s *scene) apt(line string) {
	s.Helper()
	s.root("DEBIAN_FRONTEND=noninteractive apt-get --quiet --yes -o Dpkg::Options::=" + whole + " " + line + " 2>&1")
}

func (s *scene) dpkg(line string) {
	s.Helper()
	s.root("dpkg " + whole + " " + line + " 2>&1")
}

func TestPackageIsInstalledUsedUpgradedAndPurged(t *testing.T) {
	s := beginOpen(t)
	before := s.systemFiles()
	s.apt("install " + olderPackage)
	s.packageIsComplete()
	if state := s.user("systemctl --user is-enabled nm-session-bridge || true"); state != "disabled" {
		t.Errorf("the service is %s before anybody wants it", state)
	}
	s.isUpToDate("the package's installation")
	for _, line := range []string{"nm-session-bridge install --now", "nm-session-bridge uninstall"} {
		s.Log(s.user(line))
		s.isUpToDate(line)
	}
	const sync = "sync.service"
	s.enable(map[string]string{sync: while(online)})
	s.systemctl("enable", "--now", "nm-session-bridge")
	s.internet(online)
	s.lid(lidOpen)
	s.expect("active", sync, lab)
	if said := s.user("nm-session-bridge install --now"); !strings.HasPrefix(said, "already installed, nothing changed\nnow: internet online,") {
		t.Errorf("install of the package's program said %q", said)
	}
	if home := s.user("find .local -type f 2>/dev/null || true"); home != "" {
		t.Errorf("the package's program wrote %s", home)
	}

	s.root("systemctl --global enable nm-session-bridge") // as an administrator may
	s.record()
	s.dpkg("--install " + newerPackage)
	s.starts(map[string]int{bridgeUnit: 1, sync: 0, online: 0, lidOpen: 0, lab: 0})
	s.expect("active", sync, online, lidOpen, lab)
	pid := s.systemctl("show", "--value", "--property=MainPID", bridgeUnit)
	if said := s.root("/proc/" + pid + "/exe version"); !strings.HasPrefix(said, "nm-session-bridge 9999.0 ") {
		t.Errorf("what runs after the upgrade is %s", said)
	}
	if state := s.systemctl("is-enabled", "nm-session-bridge"); state != "enabled" {
		t.Errorf("the service is %s after the upgrade", state)
	}
	s.isUpToDate("the upgrade")

	s.dpkg("--remove nm-session-bridge")
	s.expect("inactive", bridgeUnit, sync, online, lidOpen, lab)
	if loaded := s.systemctl("show", "--value", "--property=LoadState", bridgeUnit); loaded != "not-found" {
		t.Errorf("the user manager has the service %s", loaded)
	}
	s.isUpToDate("the package's removal")
	s.dpkg("--purge nm-session-bridge")
	for _, path := range s.systemFiles() {
		if !slices.Contains(before, path) {
			t.Errorf("left %s", path)
		}
	}
	if known := s.root("dpkg-query --list nm-session-bridge 2>/dev/null || true"); known != "" {
		t.Errorf("dpkg still knows %s", known)
	}
}

func TestPackageLeavesTheUsersOwnCopyAlone(t *testing.T) {
	onOneLaptop(t)
	s := beginOpen(t)
	s.install()
	s.internet(online)
	s.record()
	s.dpkg("--install " + olderPackage)
	s.afterwards("dpkg --purge nm-session-bridge")
	if said := s.user("/usr/bin/nm-session-bridge install 2>&1 || echo status $?"); !strings.Contains(said, "nm-session-bridge uninstall") || !strings.HasSuffix(said, "\nstatus 1") {
		t.Errorf("install of the package's program beside the user's own said %q", said)
	}
	if said := s.user(bridgeProgram + " install"); !strings.Contains(said, "take precedence over those of the package") {
		t.Errorf("install of the user's own said %q", said)
	}
	s.dpkg("--remove nm-session-bridge")
	s.starts(map[string]int{bridgeUnit: 0, online: 0, lidOpen: 0})
	if states := s.user("systemctl --user is-active " + bridgeUnit + " " + online + " " + lidOpen + " || true"); states != "active\nactive\nactive" {
		t.Errorf("after the package's end bridge and targets are %q", states)
	}
}

// Whichever program uninstalls the user's own copy, its bridge and targets end, and the
// package's bridge is there for the user to start.
func TestPackageTakesOverFromTheUsersOwnCopy(t *testing.T) {
	onOneLaptop(t)
	s := beginOpen(t)
	s.dpkg("--install " + olderPackage)
	s.afterwards("dpkg --purge nm-session-bridge")
	for _, program := range []string{"/usr/bin/nm-session-bridge", bridgeProgram} {
		s.install()
		s.internet(online)
		said := s.user(program + " uninstall")
		const command = "systemctl --user enable --now nm-session-bridge.service"
		if !strings.HasSuffix(said, "; to use it: "+command) || strings.Contains(said, "a file of your own") {
			t.Errorf("uninstall by %s said %q", program, said)
		}
		if states := s.user("systemctl --user is-active " + bridgeUnit + " " + online + " || true"); states != "inactive\ninactive" {
			t.Errorf("after uninstall by %s bridge and target are %q", program, states)
		}
		s.user(command)
		s.internet(online)
	}
}

// packageIsComplete checks that the package has everything that a user would
// look for.
func (s *scene) packageIsComplete() {
	s.Helper()
	files := strings.Fields(s.root("dpkg --listfiles nm-session-bridge"))
	for _, want := range []string{
		"/usr/bin/nm-session-bridge",
		"/usr/lib/systemd/user/nm-session-bridge.service", "/usr/lib/systemd/user/" + online,
		"/usr/lib/systemd/user-preset/90-nm-session-bridge.preset",
		"/usr/share/man/man1/nm-session-bridge.1.gz",
		"/usr/share/bash-completion/completions/nm-session-bridge",
		"/usr/share/fish/vendor_completions.d/nm-session-bridge.fish",
		"/usr/share/zsh/vendor-completions/_nm-session-bridge",
		"/usr/share/doc/nm-session-bridge/copyright",
	} {
		if !slices.Contains(files, want) {
			s.Errorf("the package has no %s", want)
		}
	}
	for _, path := range files {
		if _, err := os.Stat(path); err != nil {
			s.Error(err)
		}
	}
	s.user("systemd-analyze verify --user --man=no /usr/lib/systemd/user/nm-session-bridge.service")
}

// systemFiles lists files outside the user's home, without those that package
// managers and other services keep for themselves.
func (s *scene) systemFiles() []string {
	s.Helper()
	return strings.Split(s.root(`find /etc /opt /srv /usr /var \( -path /var/cache -o -path /var/log -o -path /var/tmp \
		-o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/NetworkManager -o -path /var/lib/upower \) -prune -o -print`), "\n")
}
