package integration

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// specimen is what the doctor must say about a unit of corpus/, and what must follow from
// its advice. Units without a specimen are in order. Everything that used to start must
// still start afterwards.
type specimen struct {
	unit string
	says []string // words of each finding
	// hand is set if there is nothing safe to print.
	hand bool
	// follows is the target that the unit follows once it is mended: it runs while that is
	// active, and at no other time.
	follows string
	// once is set if the unit ends by itself while the target stays active.
	once bool
	// triggered is set if not the target but a timer starts it.
	triggered bool
}

func specimens() []specimen {
	const (
		online, vpn, asleep = "internet-online.target", "vpn-up.target", "sleep.target"
		ofSystem            = "is a unit of the system manager"
		pulls               = "pulls in the target"
		endless             = "but nothing stops it"
	)
	unknown := func(where string) []string { return []string{"network-online.target in " + where + "= " + ofSystem} }
	return []specimen{
		{unit: "i3lock.service", says: []string{"WantedBy=lock.target, " + endless}, follows: "lock.target"},
		{unit: "swaylock-plain.service", says: []string{"Type=simple does not wait until swaylock has covered the screen"}, follows: "lock.target"},
		{unit: "swaylock-bound.service", says: []string{"BindsTo=lock.target " + pulls}, follows: "lock.target"},
		{unit: "suffix.service", says: []string{"internet-online in After= and WantedBy= does not exist, but " + online + " does"}, follows: online},
		{unit: "wants-ours.service", says: []string{"Wants=" + online + " " + pulls}, follows: online},
		{unit: "backup.timer", says: unknown("After= and Wants"), hand: true},
		{unit: "copied.service", says: []string{"User=, Group= and SupplementaryGroups= cannot be set by a user unit"}},
		{unit: "pipewire-fix.service", says: []string{"pipewire-fix.service.d/flags.conf sets ExecStart= without an empty ExecStart= before it"}},
		{unit: "lock-before-suspend.service", says: []string{"suspend.target in Before= and WantedBy= are units of the system manager"}, follows: asleep},
		{unit: "resume-fix.service", says: []string{"suspend.target in After= and WantedBy= " + ofSystem}, follows: "wake.target", once: true},
		{unit: "lock-on-sleep.service", says: []string{"Wants=lock.target " + pulls}, hand: true},
		{unit: "syncthing-wait.service", says: unknown("After= and Wants"), follows: online},
		{unit: "fetch-mail.service", says: unknown("After= and Wants"), follows: online, triggered: true},
		{unit: "offlineimap@work.service", says: []string{"WantedBy=" + online + ", " + endless}, follows: online},
		{unit: "rclone-drive.service", says: unknown("After= and Wants"), follows: online},
		{unit: "restic-backup.service", says: unknown("After= and Requires"), follows: online, triggered: true},
		{unit: "borgmatic.service", says: unknown("After= and Wants"), follows: online, triggered: true},
		{unit: "nextcloud.service", says: unknown("After"), follows: online},
		{unit: "dropbox.service", says: []string{endless}, follows: online},
		{unit: "sshuttle.service", says: []string{"BindsTo=" + online + " " + pulls}, follows: online},
		{unit: "weechat.service", says: []string{"Requires=" + online + " " + pulls}, follows: online},
		{unit: "radio.service", says: []string{"PartOf=" + online + " without After="}, follows: online},
		{unit: "kdeconnect.service", says: unknown("After= and Wants"), follows: online},
		{unit: "psd.service", says: []string{"WantedBy=power-ac.target, " + endless}},
		{unit: "tunnel@berlin.service", says: []string{"BindsTo=" + vpn + " " + pulls}, follows: vpn},
		{unit: "proxy.service", says: unknown("After= and Wants"), hand: true},
		{unit: "upload.service", says: unknown("After= and Wants"), hand: true},
		{unit: "calendar.timer", says: []string{endless}, follows: online},
		{unit: "working.target", says: []string{"BindsTo=" + online + " " + pulls, "BindsTo=lid-open.target " + pulls}},
		{unit: "multiline.service", says: unknown("After= and Wants"), follows: online},
		{unit: "multiline-binds.service", says: []string{"BindsTo=" + vpn + " " + pulls}, hand: true},
		{unit: "no-install.service", says: []string{"After=" + online + ", but the target does not want it"}, follows: online},
		{unit: "openvpn-client.service", says: []string{"multi-user.target in WantedBy= and network-online.target in After= and Wants= are units of the system manager"}, follows: online},
		{unit: "jellyfin.service", says: []string{"multi-user.target in WantedBy= and network.target in After= are units of the system manager"}},
		{unit: "wait-hard.service", says: unknown("After=, Requires= and WantedBy"), follows: online},
		{unit: "database.service", says: unknown("After= and Wants"), hand: true},
		{unit: "either.service", says: []string{"WantedBy=lid-open.target, " + endless, "WantedBy=power-ac.target, " + endless}, hand: true},
		{unit: "prepare.service", says: []string{endless}, follows: online},
		{unit: "misspelt.service", says: []string{"internet-onlin.target in After=, PartOf= and WantedBy= does not exist, but " + online + " does"}, follows: online},
		{unit: "podcasts.service", says: unknown("After"), follows: online},
		{unit: "mail-index.service", says: unknown("After= and Wants"), follows: online},
		{unit: "vpn-indicator.service", says: []string{pulls}, follows: vpn},
		{unit: "gmailieer.service", says: unknown("After"), hand: true},
		{unit: "corporate-vpn.service", says: unknown("After= and Wants"), follows: online},
		{unit: "corporate-proxy.service", says: []string{pulls}, follows: vpn},
		{unit: "cloudflared.service", says: unknown("After= and Wants"), hand: true},
		{unit: "relay.service", says: []string{endless}, hand: true},
		{unit: "crlf.service", says: unknown("After= and Wants"), follows: online},
		{unit: "crlf-binds.service", says: []string{pulls}, follows: vpn},
		{unit: "hotspot-login.service", says: []string{"NetworkManager.service in After= and Requires= " + ofSystem}, follows: "internet-portal.target", once: true},
		{unit: "wifi-space.service", says: []string{"connection@Cafe Luna.target in PartOf= and WantedBy="}},
		{unit: "swaylock-options.service", says: []string{"Type=simple does not wait until swaylock has covered the screen"}, follows: "lock.target"},
		{unit: "swaylock-clusters.service", says: []string{"Type=simple does not wait until swaylock has covered the screen"}, follows: "lock.target"},
		{unit: "swaylock-lid.service", says: []string{"Type=simple does not wait until swaylock has covered the screen"}},
		{unit: "swaylock-uncovers.service", says: []string{"PartOf=lid-closed.target ends swaylock without a password"}},
		{unit: "i3lock-stays.service", says: []string{"WantedBy=lock.target, " + endless, "Type=simple does not wait until i3lock has covered the screen"}, follows: "lock.target"},
		{unit: "wl-weather.service", says: unknown("After= and Wants")},
		{unit: `backup-home\x2dnas.service`, says: []string{"StopPropagatedFrom=connection@home.target without After="}},
		{unit: `cloud-my\x2dfiles.service`, says: unknown("Wants"), follows: online},
		{unit: "outbox.path", says: []string{endless}, follows: online},
		{unit: "muttsync.service", says: []string{"network-online.target in After= and Wants= " + ofSystem, "Wants=" + vpn + " " + pulls}, hand: true},
		{unit: "sshfs-mount.service", says: []string{endless}},
		{unit: "rss.service", says: []string{endless}, follows: online},
		{unit: "telemetry.service", says: []string{endless}, follows: online},
		{unit: "fleet.service", says: []string{"BindsTo=" + online + " " + pulls}, follows: online},
		{unit: "nas@media.service", says: []string{"network-online.target in After= and Wants= " + ofSystem, "BindsTo=" + online + " " + pulls}, follows: online},
		{unit: "sync-on-ac.service", says: unknown("After= and Wants"), follows: online},
		{unit: "wrong-section.service", says: []string{"systemd ignores WantedBy=" + online + " under [Unit]"}, follows: online},
		{unit: "signal.service", says: []string{"multi-user.target in WantedBy= " + ofSystem}, follows: online},
		{unit: "partof-login.service", says: []string{"PartOf=" + online + ", but the target does not want it"}, follows: online},
		{unit: "weather-once.service", says: []string{endless}, follows: online},
		{unit: "apply-brightness.service", says: []string{"suspend.target in After= and WantedBy= are units of the system manager"}},
		{unit: "at-shutdown.service", says: []string{"reboot.target in Before= and WantedBy= are units of the system manager"}},
		{unit: "duplicity.service", says: unknown("After= and Wants"), hand: true},
		{unit: "bom.service", says: unknown("After= and Requires"), follows: online},
	}
}

// followed returns the targets that mended units follow.
func followed() []string {
	var targets []string
	for _, one := range specimens() {
		if one.follows != "" && !slices.Contains(targets, one.follows) {
			targets = append(targets, one.follows)
		}
	}
	return targets
}

// instances are the instances of templates in corpus/ that people enable.
func instances() []string {
	return []string{"offlineimap@work.service", "tunnel@berlin.service", "nas@media.service"}
}

// corpus is a sandbox with the units of corpus/.
type corpus struct {
	*scene
	units []string
}

const (
	userUnits  = sandbox.Home + "/.config/systemd/user"
	containers = sandbox.Home + "/.config/containers/systemd"
	dotfiles   = sandbox.Home + "/dotfiles"
	nixStore   = "/nix/store/0z4k3c1l2mhzqkpwz1pz7yxk1sxv7ha3-home-manager-files"
)

// place copies a file of corpus/ to where people have it.
func (c *corpus) place(path string, content []byte) {
	c.Helper()
	kind, name, _ := strings.Cut(path, string(filepath.Separator))
	name = strings.ReplaceAll(name, "_x2d", `\x2d`) // Go modules have no backslash in names
	write := func(dir string) string {
		full := filepath.Join(dir, name)
		if strings.HasPrefix(dir, sandbox.Home) {
			c.must(c.WriteFile(full, content, 0o644))
			return full
		}
		c.must(os.MkdirAll(filepath.Dir(full), 0o755))
		c.must(os.WriteFile(full, content, 0o644))
		return full
	}
	link := func(to string) { c.user("mkdir -p " + userUnits + " && ln -s " + to + " " + userUnits) }
	switch kind {
	case "user":
		write(userUnits)
	case "data":
		write(sandbox.Home + "/.local/share/systemd/user")
	case "etc":
		write("/etc/systemd/user")
	case "packages":
		write("/run/systemd/user")
	case "containers":
		write(containers)
		name = strings.Replace(name, ".container", ".service", 1)
	case "stow":
		link(write(dotfiles))
	case "nix":
		link(write(nixStore))
	default:
		c.Fatalf("nobody has units in %s", path)
	}
	if !strings.Contains(name, string(filepath.Separator)) && !strings.Contains(name, "@.") {
		c.units = append(c.units, name)
	}
}

// quadlet stands in for podman's generator.
const quadlet = `#!/bin/sh
for file in ` + containers + `/*.container; do
  name=${file##*/} name=${name%.container}
  sed -e "s|^\[Unit\]|&\nSourcePath=$file|" -e 's/^\[Container\]/[X-Container]/' "$file" >"$1/$name.service"
  printf '[Service]\nExecStart=/usr/bin/podman run %s\n' "$name" >>"$1/$name.service"
  for target in $(sed -n 's/^WantedBy=//p' "$file"); do
    mkdir -p "$1/$target.wants" && ln -s "../$name.service" "$1/$target.wants/"
  done
done
`

// Stand-ins for the programs of the corpus. Those that stay say that they are ready, or
// leave a child behind, as their arguments ask for.
const corpusStays = `#!/bin/sh
[ -z "$NOTIFY_SOCKET" ] || systemd-notify --ready
case " $* " in *" -f "* | *" -d "*) sleep infinity & exit ;; esac
exec sleep infinity
`

// swaylockForks and i3lockForks read their flags with getopt(3), as those programs do.
const (
	swaylockForks = locks + `
read_flags "-:C:FLKR:c:defhi:klnrs:tuv" "$@"
case $flags in *f*) sleep infinity & exit ;; esac
exec sleep infinity
`
	i3lockForks = locks + `
read_flags "-:bc:efi:knp:tuv" "$@"
case $flags in *n*) exec sleep infinity ;; esac
sleep infinity &
`
	locks = `#!/bin/sh
[ -z "$NOTIFY_SOCKET" ] || systemd-notify --ready
flags=
read_flags() {
  known=$1; shift
  while [ $# -gt 0 ]; do
    OPTIND=1
    while getopts "$known" flag; do flags=$flags$flag; done
    shift $((OPTIND - 1))
    [ $# = 0 ] || shift
  done
}`
)

var mentioned = regexp.MustCompile(`(?m)^Exec\w+=-?/usr/bin/(\S+)`)

func collect(t *testing.T) *corpus {
	t.Helper()
	c := &corpus{scene: begin(t, sandbox.Options{})}
	c.giveSudo(nil)
	c.nmcli("connection", "add", "type", "ethernet", "con-name", "Cafe Luna", "ifname", "eth9", "autoconnect", "no")
	programs := map[string]string{"podman": corpusStays, "swaylock": swaylockForks, "i3lock": i3lockForks}
	c.furnishNix()
	for _, dir := range []string{"/etc/systemd/user", "/run/systemd/user", "/run/systemd/user-generators"} {
		c.layOver(dir)
	}
	root := os.DirFS("corpus")
	c.must(fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		for _, m := range mentioned.FindAllStringSubmatch(string(content), -1) {
			if m[1] == "mkdir" || m[1] == "env" { // the real one serves
				continue
			}
			if strings.Contains(string(content), "Type=oneshot") {
				programs[m[1]] = "#!/bin/sh\n"
			} else if programs[m[1]] == "" {
				programs[m[1]] = corpusStays
			}
		}
		c.place(path, content)
		return nil
	}))
	c.units = append(c.units, instances()...)
	c.layOver("/usr/bin")
	for name, script := range programs {
		c.must(os.WriteFile(filepath.Join("/usr/bin", name), []byte(script), 0o755))
	}
	c.must(os.WriteFile("/run/systemd/user-generators/quadlet", []byte(quadlet), 0o755))
	c.install()
	c.systemctl("daemon-reload")
	for _, unit := range c.units {
		if state := c.systemctl("show", "-P", "UnitFileState", unit); state == "disabled" || state == "linked" {
			cannot := unit == "suffix.service" || unit == "wifi-space.service" // because of the names in their files
			if _, err := c.Systemctl("enable", "--no-reload", unit); (err == nil) == cannot {
				c.Fatalf("enabling %s: %v", unit, err)
			}
		}
	}
	c.systemctl("daemon-reload")
	return c
}

// furnishNix makes a place for what Nix would have built. Its directory is in the machine's own
// root, where tests that run at the same time share it: the last one removes it.
func (c *corpus) furnishNix() {
	c.Helper()
	var shared *os.File
	for {
		if err := os.Mkdir("/nix", 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			c.Fatal(err)
		}
		var err error
		shared, err = os.Open("/nix")
		if err == nil {
			err = unix.Flock(int(shared.Fd()), unix.LOCK_SH)
		}
		var opened, now unix.Stat_t
		if err == nil && unix.Fstat(int(shared.Fd()), &opened) == nil && unix.Stat("/nix", &now) == nil && opened.Ino == now.Ino {
			break // nobody has removed it meanwhile
		}
	}
	c.Cleanup(func() {
		if unix.Flock(int(shared.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			_ = os.Remove("/nix") // fails if it was there before and holds anything
		}
		_ = shared.Close()
	})
	c.must(unix.Mount("tmpfs", "/nix", "tmpfs", 0, "mode=755"))
	c.Cleanup(func() { _ = unix.Unmount("/nix", unix.MNT_DETACH) })
}

// examine runs the doctor and returns its findings by unit.
func (c *corpus) examine() map[string][]advice {
	c.Helper()
	var report struct{ Findings []advice }
	c.must(json.Unmarshal([]byte(c.user("nm-session-bridge doctor --json || [ $? = 1 ]")), &report))
	byUnit := map[string][]advice{}
	for _, f := range report.Findings {
		byUnit[f.Unit] = append(byUnit[f.Unit], f)
	}
	return byUnit
}

// advice is a finding as a program reads it.
type advice struct{ Unit, What, Why, Mend, Hand string }

// check compares what the doctor says about each unit with what it must say.
func (c *corpus) check(said map[string][]advice) {
	c.Helper()
	said = maps.Clone(said)
	for _, one := range specimens() {
		found := said[one.unit]
		delete(said, one.unit)
		if len(found) != len(one.says) {
			c.Errorf("of %s it says %q, not %q", one.unit, found, one.says)
			continue
		}
		for i, f := range found {
			if !strings.Contains(f.What, one.says[i]) {
				c.Errorf("of %s it says %q, not %q", one.unit, f.What, one.says[i])
			}
			if (f.Mend == "") != one.hand || (f.Hand == "") == one.hand || f.Mend != found[0].Mend {
				c.Errorf("%s is mended by %q or, by hand, %q", one.unit, f.Mend, f.Hand)
			}
			for _, line := range replacements.FindAllString(f.Hand, -1) {
				if strings.Contains(line, "network-online.target") {
					c.Errorf("%s: by hand it keeps a line that systemd ignores: %s", one.unit, f.Hand)
				}
			}
			c.Logf("%s\n  %s\n  %s%s", f.What, f.Why, f.Mend, f.Hand)
		}
	}
	for unit, found := range said {
		c.Errorf("of %s, which is in order, it says %q", unit, found)
	}
}

// replacements matches the lines that a person should write in place of others.
var replacements = regexp.MustCompile(` with \S+=[^,;]*`)

// tree lists the files and links in the places where units may be, and their contents.
func (c *corpus) tree() map[string]string {
	c.Helper()
	held := map[string]string{}
	for _, root := range []string{sandbox.Home, "/etc/systemd", "/nix", "/run/systemd/user"} {
		c.must(filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil || entry.IsDir():
				return err
			case entry.Type()&fs.ModeSymlink != 0:
				held[path], err = os.Readlink(path)
			case entry.Type().IsRegular():
				var content []byte
				content, err = os.ReadFile(path)
				held[path] = string(content)
			}
			return err
		}))
	}
	return held
}

// compare checks that only files changed that the commands name, besides links that enable
// units.
func (c *corpus) compare(before, after map[string]string, commands []string) {
	c.Helper()
	for path, content := range before {
		now, there := after[path]
		switch {
		case !there:
			c.Errorf("%s is gone", path)
		case now != content && !slices.ContainsFunc(commands, func(command string) bool { return strings.Contains(command, path) }):
			c.Errorf("%s has changed to\n%s", path, now)
		}
	}
	for path := range after {
		_, there := before[path]
		isLink := strings.HasSuffix(filepath.Dir(path), ".wants")
		if !there && !isLink && !slices.ContainsFunc(commands, func(command string) bool { return strings.Contains(command, path) }) {
			c.Errorf("%s is new", path)
		}
	}
}

// cycles returns what systemd says about ordering cycles among the units.
func (c *corpus) cycles() []string {
	c.Helper()
	out, _ := c.Command("systemd-analyze", append([]string{"--user", "--man=no", "verify"}, c.units...)...).CombinedOutput() // it fails on other things as well
	var lines []string
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "cycle") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// moments are the times of a day, with the units that run then or were started.
type moments map[string]map[string]bool

// earlier returns the moment before another.
func earlier(moment string) string {
	order := []string{"", "login", "online", "locked", "unlocked", goesOffline, "woken", "closed", "opened", "vpn", "evening"}
	return order[slices.Index(order, moment)-1]
}

// goesOffline is the moment at which NetworkManager brings the links down, sooner or later.
const goesOffline = "asleep"

// day lets the user log in offline, and everything happen once. It begins and ends online.
func (c *corpus) day() moments {
	c.Helper()
	all := moments{}
	left := map[string]string{} // when each unit last left the state inactive
	moment := func(name string) {
		c.Helper()
		c.settle()
		all[name] = map[string]bool{}
		shown := c.systemctl(slices.Concat([]string{"show", "-p", "Id", "-p", "ActiveState", "-p", "InactiveExitTimestampMonotonic"}, c.units, followed())...)
		for _, block := range strings.Split(shown, "\n\n") {
			fields := map[string]string{}
			for line := range strings.Lines(block) {
				key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				fields[key] = value
			}
			at := fields["InactiveExitTimestampMonotonic"]
			all[name][fields["Id"]] = fields["ActiveState"] == "active" || at != "0" && at != left[fields["Id"]]
			left[fields["Id"]] = at
		}
	}
	c.must(c.Uplink.Unplug(c.ctx))
	c.offline()
	c.must(c.User.Stop(c.ctx))
	c.must(c.User.Start(c.ctx))
	c.record()
	c.expect("active", bridgeUnit, "default.target")
	c.offline()
	moment("login")
	c.must(c.Uplink.Plug(c.ctx))
	c.online()
	moment("online")
	c.must(c.Login1.AskToLock(true))
	c.lock("locked")
	moment("locked")
	c.must(c.Login1.AskToLock(false))
	c.lock("unlocked")
	moment("unlocked")
	c.must(c.Login1.PrepareForSleep(true))
	c.expect("active", "sleep.target")
	moment(goesOffline)
	c.must(c.Login1.PrepareForSleep(false))
	c.expect("inactive", "sleep.target")
	c.online()
	c.must(c.Login1.AskToLock(false))
	c.lock("unlocked")
	moment("woken")
	c.must(c.Login1.SetLid(true))
	c.expect("active", "lid-closed.target")
	moment("closed")
	c.must(c.Login1.SetLid(false))
	c.expect("active", "lid-open.target")
	moment("opened")
	c.user("nm-session-bridge set vpn up")
	c.expect("active", "vpn-up.target")
	moment("vpn")
	c.user("nm-session-bridge set vpn auto")
	c.expect("inactive", "vpn-up.target")
	moment("evening")
	c.systemctl("import-environment", "PATH")
	return all
}

// TestDoctorOnUnitsAsPeopleWriteThem compares what the doctor says about a corpus of units
// with what it must say, runs what it prints, and lives through the same day before and
// after.
func TestDoctorOnUnitsAsPeopleWriteThem(t *testing.T) {
	c := collect(t)
	if cycles := c.cycles(); len(cycles) > 0 {
		t.Fatalf("there are cycles before anything was done: %q", cycles)
	}
	before := c.day()
	defer c.renew()()
	said := c.examine()
	c.check(said)
	files := c.tree()
	var commands []string
	for _, found := range said {
		for _, f := range found {
			if f.Mend != "" && !slices.Contains(commands, f.Mend) {
				commands = append(commands, f.Mend)
			}
		}
	}
	slices.Sort(commands)
	for range 2 {
		for _, command := range commands {
			if out, err := c.Command("/bin/sh", "-c", command).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", command, err, out)
			}
		}
		c.settle()
	}
	c.compare(files, c.tree(), commands)
	for unit, found := range c.examine() {
		for _, f := range found {
			if f.Mend != "" || !slices.Contains(said[unit], f) {
				t.Errorf("afterwards it says %q", f)
			}
		}
	}
	if cycles := c.cycles(); len(cycles) > 0 {
		t.Errorf("afterwards there are cycles: %q", cycles)
	}
	defer c.renew()()
	c.outlive(before, c.day())
}

// outlive checks that units start as before, and follow their targets if they had to be
// mended.
func (c *corpus) outlive(before, after moments) {
	c.Helper()
	follows := map[string]specimen{}
	for _, one := range specimens() {
		if one.follows != "" {
			follows[one.unit] = one
		}
	}
	for moment, units := range before {
		// Units that pulled in targets made other units run that now wait for their
		// targets.
		pulled := slices.ContainsFunc(followed(), func(target string) bool { return units[target] && !after[moment][target] })
		for unit, ran := range units {
			one, isMended := follows[unit]
			runs := after[moment][unit]
			switch {
			case !isMended && ran && !runs && (!pulled || !after["online"][unit]):
				c.Errorf("%s: %s used to run", moment, unit)
			case isMended && one.once:
				if began := after[moment][one.follows] && !after[earlier(moment)][one.follows]; runs != began {
					c.Errorf("%s: %s ran: %v; %s began: %v", moment, unit, runs, one.follows, began)
				}
			case isMended && !one.triggered && moment != goesOffline && runs != after[moment][one.follows]:
				c.Errorf("%s: %s: %v, unlike %s", moment, unit, runs, one.follows)
			}
		}
	}
	for _, position := range []string{"offline", "online"} {
		c.user("nm-session-bridge set internet " + position)
		c.settle()
		for unit, one := range follows {
			if !one.triggered {
				continue
			}
			if _, err := c.Systemctl("start", unit); (err == nil) != (position == "online") {
				c.Errorf("%s: the start of %s: %v", position, unit, err)
			}
		}
	}
}
