package integration

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// Stand-ins for the programs that the recipes run, except nmcli, which is real. They
// record their calls. Programs that should stay do so. Those that should end hang if a
// file "hang" exists; slow ones hang as long as it exists.
const (
	endingProgram = `#!/bin/sh
echo "${0##*/} $*" >> /home/gemini/calls
[ ! -e /home/gemini/hang ] || exec sleep infinity
`
	stayingProgram = `#!/bin/sh
echo "${0##*/} $*" >> /home/gemini/calls
exec sleep infinity
`
	slowProgram = `#!/bin/sh
printf '%s\n' "${0##*/} $*" >> /home/gemini/calls
while [ -e /home/gemini/hang ]; do sleep 0.1; done
`
	// A desktop's xdg-open leaves a browser behind.
	leavingProgram = `#!/bin/sh
sleep infinity &
echo "${0##*/} $*" >> /home/gemini/calls
`
	// What nobody counts.
	quietProgram = `#!/bin/sh
`
)

// stories holds, by the name of a recipe, a check of what happens to its units. Each
// begins and ends online with the lid open.
type stories map[string]func(*scene)

func storiesOfTheNetwork() stories {
	return stories{
		"mail":      storyOfMail,
		"files":     storyOfFiles,
		"vpn":       storyOfVPN,
		"notify":    storyOfAlerts("notify-internet@", "notify-send Internet: "),
		"ratpoison": storyOfAlerts("ratpoison-internet@", "ratpoison -c echo Internet: "),
		"portal":    storyOfPortal,
		"reconnect": storyOfReconnect,
		"timer":     storyOfTimer,
		"home":      storyOfHome,
		"away":      storyOfAway,
		"drive":     storyOfDrive,
		"container": storyOfContainer,
		"trusted":   storyOfTrusted,
	}
}

func storiesOfTheMachine() stories {
	return stories{
		"screen":        storyOfLid("screen-off.service", "xset dpms force off", "xset dpms force on"),
		"radios":        storyOfLid("radios-off.service", "rfkill block all", "rfkill unblock all"),
		"backup":        storyOfBackup,
		"both":          storyOfBoth,
		"desktop":       storyOfDesktop,
		"lock-swaylock": storyOfALocker("lock-swaylock.service", standInLocker{}),
		"lock-hyprlock": storyOfALocker("lock-hyprlock.service", standInLocker{}),
		"lock-i3lock":   storyOfALocker("lock-i3lock.service", standInLocker{}),
		"undocked":      storyOfUndocked,
		"hooks":         storyOfHooks,
		"wake":          storyOfWake,
		"shutdown":      storyOfShutdown,
	}
}

func TestRecipesOfTheNetwork(t *testing.T) { testRecipes(t, storiesOfTheNetwork()) }

func TestRecipesOfTheMachine(t *testing.T) { testRecipes(t, storiesOfTheMachine()) }

func TestEachRecipeHasAStory(t *testing.T) {
	var recipes []string
	for _, r := range systemdctl.Recipes() {
		recipes = append(recipes, r.Name)
	}
	slices.Sort(recipes)
	told := slices.AppendSeq(slices.Collect(maps.Keys(storiesOfTheNetwork())), maps.Keys(storiesOfTheMachine()))
	slices.Sort(told)
	if !slices.Equal(told, recipes) {
		t.Errorf("there are stories of the recipes %q, but the recipes are %q", told, recipes)
	}
}

func testRecipes(t *testing.T, told stories) {
	t.Helper()
	s := begin(t, sandbox.Options{NoNetworkManager: true, UserManagesNetwork: true})
	s.Login1.SetInhibitDelayMax(enoughDelay)
	s.standIn(map[string]string{
		"offlineimap": stayingProgram, "syncthing": stayingProgram, "unison": stayingProgram, "sshuttle": stayingProgram, "gajim": stayingProgram, "nextcloud": stayingProgram,
		"mbsync": endingProgram, "vdirsyncer": endingProgram,
		"notify-send": endingProgram, "ratpoison": endingProgram, "xset": endingProgram, "rfkill": endingProgram,
		"playerctl": endingProgram, "bluetoothctl": slowProgram, "rsync": slowProgram,
		"swaylock": lockingProgram, "i3lock": lockingProgram, "hyprlock": lockingProgram, "hyprctl": lockTellingProgram,
		"xdg-open": leavingProgram, "sshfs": leavingProgram,
		"restic": endingProgram, "rygel": stayingProgram,
		"fusermount3": quietProgram, "podman": quietProgram,
	})
	s.generate(sinceFive)
	s.systemctl("import-environment", "PATH") // as a login does; doctor looks
	s.must(s.NM.Start(s.ctx))
	// nmcli treats a bridge like a VPN, and every kernel has bridges.
	for name, address := range map[string]string{profile: "10.99.0.1/24", otherProfile: "10.97.0.1/24"} {
		s.nmcli("connection", "add", "type", "bridge", "con-name", name, "ifname", "bridge-"+name[:2], "autoconnect", "no",
			"ipv4.method", "manual", "ipv4.addresses", address, "ipv6.method", "disabled")
	}
	s.install()
	for _, r := range systemdctl.Recipes() {
		story := told[r.Name]
		if story == nil {
			continue
		}
		t.Run(r.Name, func(t *testing.T) {
			own := *s
			own.T = t
			defer own.renew()()
			defer func() { s.timeline = own.timeline }()
			own.cook(r, story)
		})
	}
}

func TestRecipeAdd(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.standIn(map[string]string{"offlineimap": stayingProgram})
	const unit = sandbox.Home + "/.config/systemd/user/mail-sync.service"
	add := program + " recipe add mail"
	want := "wrote " + unit + "\nthe targets are missing: " + program + " install --now\nnext: systemctl --user enable mail-sync.service"
	if out := s.user(add); out != want {
		t.Errorf("before the bridge is installed:\n%s\nwant:\n%s", out, want)
	}
	if shown, want := s.user(program+" recipe show mail"), "# "+unit+"\n\n"+s.user("cat "+unit); shown != want {
		t.Errorf("show:\n%s\nwant:\n%s", shown, want)
	}
	s.install()
	s.online()
	want = "already there: " + unit + "\nnext: systemctl --user enable --now mail-sync.service"
	if out := s.user(add); out != want {
		t.Errorf("the second time:\n%s\nwant:\n%s", out, want)
	}

	s.must(os.Remove("/usr/local/bin/offlineimap"))
	want = "already there: " + unit + "\nmissing offlineimap; install it first, on Debian: sudo apt install offlineimap3" +
		"\nnext, after that: systemctl --user enable --now mail-sync.service"
	if out := s.user(add); out != want {
		t.Errorf("without its program:\n%s\nwant:\n%s", out, want)
	}

	s.write("calendars.timer", "[Timer]\nOnCalendar=daily\n")
	before := s.files()
	out := s.fails(1, program+" recipe add timer")
	if !strings.Contains(out, "calendars.timer: exists already with other content") || strings.Contains(out, "\n") {
		t.Errorf("over a file that differs: %s", out)
	}
	if after := s.files(); after != before {
		t.Errorf("files changed all the same:\n%s\nwere:\n%s", after, before)
	}

	// The user manager looks there, by another name of the directory.
	if out := s.user("ln -s .config elsewhere && XDG_CONFIG_HOME=$HOME/elsewhere " + add); !strings.HasPrefix(out, "already there: "+sandbox.Home+"/elsewhere/systemd/user/mail-sync.service\n") {
		t.Errorf("with an XDG_CONFIG_HOME: %s", out)
	}
	if out := s.fails(1, "DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere "+program+" recipe add radios"); !strings.Contains(out, "/nowhere") {
		t.Errorf("without a session bus: %s", out)
	}
	if _, err := os.Stat(filepath.Dir(unit) + "/radios-off.service"); err == nil {
		t.Error("without a session bus it wrote a unit all the same")
	}
}

// cook follows a recipe as a user would: it adds the recipe, types what the
// program says, and checks what happens. Then it cleans up.
func (s *scene) cook(r systemdctl.Recipe, story func(*scene)) {
	s.Helper()
	s.online()
	s.lid("open")
	s.fresh()
	s.record()
	s.must(os.RemoveAll(sandbox.Home + "/calls"))
	s.must(os.RemoveAll(sandbox.Home + "/hang"))
	add := program + " recipe add " + r.Name
	for _, blank := range r.Blanks {
		for _, value := range filled(blank) {
			add += " --set " + systemdctl.Quote(blank.Name+"="+value)
		}
	}
	out := s.user(add)
	s.Log(out)
	files := s.verify(r)
	_, next, _ := strings.Cut(out, "next: ")
	s.user(next)
	s.Cleanup(func() { // also after a failure, for which the next recipe is not to blame
		if units, is := strings.CutPrefix(next, "systemctl --user enable "); is {
			s.user("systemctl --user disable --now " + strings.TrimPrefix(units, "--now "))
		}
		for _, file := range files {
			s.must(os.Remove(file.Path))
		}
		s.systemctl("daemon-reload")
	})
	s.clean("")
	story(s)
	s.online()
	s.lid("open")
}

// filled returns what the tests fill a blank with.
func filled(blank systemdctl.Blank) []string {
	switch {
	case blank.IsProfile && blank.MayRepeat:
		return []string{profile, otherProfile}
	case blank.IsProfile:
		return []string{profile}
	}
	return []string{"50% of $HOME's; \"" + strings.ToLower(blank.Name) + `\d"`}
}

// verify makes systemd read the units, about which it must not complain, and
// compares them with the embedded ones, which it returns.
func (s *scene) verify(r systemdctl.Recipe) []systemdctl.File {
	s.Helper()
	files, err := r.Files(sandbox.Home + "/.config")
	s.must(err)
	for _, file := range files {
		content, err := os.ReadFile(file.Path)
		s.must(err)
		if len(r.Blanks) == 0 && string(content) != string(file.Content) {
			s.Errorf("%s is not as the recipe has it", file.Path)
		}
		if file.IsOfQuadlet() {
			continue
		}
		if said := s.user("systemd-analyze --user verify " + file.Path); said != "" {
			s.Errorf("systemd says of %s: %s", file.Path, said)
		}
	}
	return files
}

// standIn puts programs where systemd looks for them, before any real ones.
func (s *scene) standIn(programs map[string]string) {
	s.Helper()
	const place = "/usr/local/bin"
	s.layOver(place)
	for name, script := range programs {
		s.must(os.WriteFile(filepath.Join(place, name), []byte(script), 0o755))
	}
}

// layOver puts a writable layer over a directory until the test ends.
func (s *scene) layOver(place string) {
	s.Helper()
	s.must(os.MkdirAll(place, 0o755))
	layers, err := os.MkdirTemp("/dev/shm", "layers")
	s.must(err)
	s.must(os.Chmod(layers, 0o755))
	upper, work := filepath.Join(layers, "upper"), filepath.Join(layers, "work")
	s.must(os.Mkdir(upper, 0o755))
	s.must(os.Mkdir(work, 0o755))
	s.must(unix.Mount("overlay", place, "overlay", 0, "lowerdir="+place+",upperdir="+upper+",workdir="+work))
	s.Cleanup(func() {
		if err := unix.Unmount(place, unix.MNT_DETACH); err != nil {
			s.Error(err)
		}
	})
}

// called waits for the n-th call and checks it.
func (s *scene) called(n int, call string) {
	s.Helper()
	s.follow(call, "tail", "--follow=name", "--retry", fmt.Sprintf("--lines=+%d", n), sandbox.Home+"/calls")
}

// fresh forgets how often switches moved and units started. Otherwise the bridge
// would hold back the next moves, and systemd the next starts.
func (s *scene) fresh() {
	s.Helper()
	s.settle()
	s.systemctl("restart", bridgeUnit)
	s.systemctl("reset-failed")
}

// wantCalls checks all calls so far, once everything has settled.
func (s *scene) wantCalls(want ...string) {
	s.Helper()
	s.settle()
	if got := s.calls(); got != strings.Join(want, "\n") {
		s.Errorf("calls:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

func (s *scene) unplug() {
	s.Helper()
	s.must(s.Uplink.Unplug(s.ctx))
	s.offline()
}

func (s *scene) plug() {
	s.Helper()
	s.must(s.Uplink.Plug(s.ctx))
	s.online()
}

func (s *scene) closeLid() {
	s.Helper()
	s.must(s.Login1.SetLid(true))
	s.lid("closed")
}

func (s *scene) openLid() {
	s.Helper()
	s.must(s.Login1.SetLid(false))
	s.lid("open")
}

// refused checks that a unit cannot be started by hand, and that the attempt
// starts nothing else.
func (s *scene) refused(unit string) {
	s.Helper()
	s.settle()
	before := len(s.timeline.Events())
	if _, err := s.Systemctl("start", unit); err == nil {
		s.Errorf("%s could be started by hand", unit)
	}
	s.settle()
	for _, event := range s.timeline.Events()[before:] {
		if event.Started {
			s.Errorf("starting %s by hand started %s", unit, event.Unit)
		}
	}
}

// idle checks that units are not active, once everything has settled.
func (s *scene) idle(units ...string) {
	s.Helper()
	s.settle()
	for _, unit := range units {
		if state := s.timeline.State(unit); state != "inactive" {
			s.Errorf("%s is %s", unit, state)
		}
	}
}

// comesAndGoes checks that a unit that was started while online stops and starts
// with the internet, and that it makes the right calls.
func (s *scene) comesAndGoes(unit, call string) {
	s.Helper()
	s.called(1, call)
	s.started(unit, 1)
	s.unplug()
	s.expect("inactive", unit)
	s.refused(unit)
	s.plug()
	s.expect("active", unit)
	s.called(2, call)
	s.started(unit, 2)
	s.wantCalls(call, call)
}

func storyOfMail(s *scene) {
	s.comesAndGoes("mail-sync.service", "offlineimap -u basic")
}

func storyOfFiles(s *scene) {
	s.comesAndGoes("file-sync.service", "syncthing serve --no-browser")
}

func storyOfDrive(s *scene) {
	s.comesAndGoes("drive.service", "sshfs "+filled(systemdctl.Blank{Name: "REMOTE"})[0]+" /home/gemini/Drive -o ServerAliveInterval=15")
}

func storyOfBackup(s *scene) {
	const timer, unit = "backup.timer", "backup.service"
	const call = "restic --repository-file /home/gemini/.config/restic/repository --password-file /home/gemini/.config/restic/password" +
		" backup --one-file-system --exclude /home/gemini/.cache /home/gemini"
	for _, order := range [][]string{
		{"power battery", "metered metered", "power ac", "metered unmetered"},
		{"power battery", "metered metered", "metered unmetered", "power ac"},
		{"metered metered", "power battery", "power ac", "metered unmetered"},
	} {
		s.fresh()
		s.expect("active", timer)
		for _, position := range order {
			s.user(program + " set " + position)
			if position != order[3] {
				s.idle(timer)
				s.refused(timer)
				s.refused(unit)
			}
		}
	}
	s.expect("active", timer)
	s.systemctl("start", unit)
	s.wantCalls(call)
	// A backup that still runs is stopped without counting as failed.
	s.write(sandbox.Home+"/hang", "")
	s.systemctl("start", "--no-block", unit)
	s.called(2, call)
	s.user(program + " set power battery")
	s.expect("inactive", unit)
	s.must(os.Remove(sandbox.Home + "/hang"))
	s.user(program + " set power auto")
	s.user(program + " set metered auto")
}

// storyOfContainer plays what a stand-in for Podman's generator makes of the recipe.
func storyOfContainer(s *scene) {
	const unit = "feeds.service"
	s.expect("active", unit)
	s.unplug()
	s.expect("inactive", unit)
	s.refused(unit)
	s.plug()
	s.expect("active", unit)
	s.started(unit, 2)
	s.systemctl("stop", unit)
}

func storyOfTrusted(s *scene) {
	const target, unit = "trusted.target", "media-share.service"
	s.idle(target, unit)
	add := program + " recipe add trusted --set PROFILE='" + profile + "' --set PROFILE=" + otherProfile
	enables := "next: systemctl --user enable " + target + " " + unit
	if out := s.user(add); !strings.HasSuffix(out, "\n"+enables) {
		s.Errorf("on no trusted network, it says\n%s", out)
	}
	s.nmcli("connection", "up", otherProfile)
	s.expect("active", target)
	out := s.user(add)
	if !strings.HasSuffix(out, "\n"+strings.Replace(enables, "enable", "enable --now", 1)) {
		s.Errorf("on a trusted network, it says\n%s", out)
	}
	s.systemctl("disable", "--now", target, unit)
	_, next, _ := strings.Cut(out, "next: ")
	s.user(next)
	s.expect("active", target, unit)
	s.nmcli("connection", "down", otherProfile)
	s.expect("inactive", target, unit)
	s.fresh()
	s.record()
	for round := 1; round <= 2; round++ {
		first, second := profile, otherProfile
		if round == 2 {
			first, second = second, first
		}
		s.nmcli("connection", "up", first)
		s.expect("active", target, unit)
		s.nmcli("connection", "up", second)
		s.profiles(first, second, "home")
		s.nmcli("connection", "down", first)
		s.systemctl("restart", bridgeUnit)
		s.profiles(second, "home")
		s.settle()
		s.expect("active", target, unit)
		s.started(unit, round)
		s.nmcli("connection", "down", second)
		s.expect("inactive", target, unit)
		s.fresh()
	}
}

const profile, otherProfile = "My VPN", "Office"

func storyOfVPN(s *scene) {
	const unit = `vpn@My\x20VPN.service`
	isUp := func() bool {
		s.Helper()
		active, err := s.NM.Nmcli(s.ctx, "--terse", "--fields=NAME", "connection", "show", "--active")
		s.must(err)
		return slices.Contains(strings.Split(active, "\n"), profile)
	}
	for round := 1; round <= 2; round++ {
		s.expect("active", unit)
		s.started(unit, round)
		if !isUp() {
			s.Errorf("round %d: %s is not up", round, profile)
		}
		s.unplug()
		s.expect("inactive", unit)
		if isUp() {
			s.Errorf("round %d: %s is not down", round, profile)
		}
		s.refused(unit)
		s.fresh()
		s.plug()
	}
	s.expect("active", unit)
	// If somebody else takes it down, that is not an error.
	s.nmcli("connection", "down", profile)
	s.unplug()
	s.expect("inactive", unit)
	s.plug()
	s.expect("active", unit)
}

func storyOfHome(s *scene) {
	const unit = `home-sync@My\x20VPN.service`
	s.expect("inactive", unit)
	s.fails(1, "systemctl --user start '"+unit+"'")
	for round := 1; round <= 2; round++ {
		s.nmcli("connection", "up", profile)
		s.expect("active", unit)
		s.started(unit, round)
		s.nmcli("connection", "down", profile)
		s.expect("inactive", unit)
	}
}

func storyOfAway(s *scene) {
	const unit, ends = `away-tunnel@My\x20VPN.service`, `away-ends@My\x20VPN.service`
	s.systemctl("start", unit) // the user is online already
	s.expect("active", unit)
	s.nmcli("connection", "up", profile)
	s.expect("active", ends)
	s.expect("inactive", unit)
	s.settle()
	s.systemctl("start", unit) // its condition skips it
	s.expect("inactive", unit)
	s.nmcli("connection", "down", profile)
	s.expect("inactive", ends)
	s.expect("active", unit)
	s.called(1, `sshuttle --remote 50% of $HOME's; "remote\d" 50% of $HOME's; "network\d"`)
	s.unplug()
	s.expect("inactive", unit)
	s.refused(unit)
	s.fresh()
	s.plug()
	s.expect("active", unit)
}

// storyOfAlerts is the story of oneshots of a template, one for each position.
func storyOfAlerts(prefix, call string) func(*scene) {
	return func(s *scene) {
		s.wantCalls() // they run at the next arrival
		s.unplug()
		s.wantCalls(call + "offline")
		s.must(s.Check.Set(sandbox.PortalRedirect))
		s.must(s.Uplink.Plug(s.ctx))
		s.portal()
		s.wantCalls(call+"offline", call+"portal")
		s.check(sandbox.Full)
		s.online()
		s.wantCalls(call+"offline", call+"portal", call+"online")
		for _, position := range []string{"online", "offline", "portal"} {
			s.started(prefix+position+".service", 1)
		}
	}
}

func storyOfPortal(s *scene) {
	const call = "xdg-open http://nmcheck.gnome.org/"
	browsers := func(want int) {
		s.Helper()
		list := s.systemctl("list-units", "--no-legend", "--plain", "--state=active", "run-*.service")
		if got := strings.Count(list, ".service"); got != want {
			s.Errorf("%d browsers are there, not %d:\n%s", got, want, list)
		}
	}
	s.wantCalls()
	for round := 1; round <= 2; round++ {
		s.check(sandbox.PortalRedirect)
		s.portal()
		s.called(round, call)
		s.check(sandbox.Full)
		s.online()
		s.started("portal-browser.service", round)
		browsers(round)
	}
	s.wantCalls(call, call)
	s.systemctl("stop", "run-*.service")
	browsers(0)
}

// storyOfLid is the story of a service that is active while the lid is closed.
func storyOfLid(unit, closed, opened string) func(*scene) {
	return func(s *scene) {
		s.refused(unit)
		s.wantCalls()
		var calls []string
		for round := 1; round <= 2; round++ {
			s.closeLid()
			s.expect("active", unit)
			calls = append(calls, closed)
			s.wantCalls(calls...)
			s.openLid()
			s.expect("inactive", unit)
			calls = append(calls, opened)
			s.wantCalls(calls...)
			s.started(unit, round)
		}
		s.Login1.SetDocked(true)
		s.closeLid()
		s.settle()
		s.expect("inactive", unit)
		s.wantCalls(calls...)
		s.openLid()
		s.settle()
		s.wantCalls(calls...)
		s.Login1.SetDocked(false)
	}
}

// endsWithTheInternet checks a oneshot whose third call still runs when the
// internet goes. It must be stopped without counting as failed. The check ends
// offline.
func (s *scene) endsWithTheInternet(unit, call string) {
	s.Helper()
	hang := sandbox.Home + "/hang"
	s.write(hang, "")
	s.plug()
	s.expect("activating", unit)
	s.called(3, call)
	s.unplug()
	s.expect("inactive", unit)
	s.must(os.Remove(hang))
}

func storyOfReconnect(s *scene) {
	const unit, call = "mail-fetch.service", "mbsync --all"
	s.started(unit, 1) // now
	s.unplug()
	s.refused(unit)
	s.plug()
	s.started(unit, 2)
	s.fresh()
	s.unplug()
	s.endsWithTheInternet(unit, call)
	s.fresh()
	s.plug()
	s.started(unit, 4)
	s.wantCalls(slices.Repeat([]string{call}, 4)...)
}

func storyOfTimer(s *scene) {
	const timer, unit, call = "calendars.timer", "calendars.service", "vdirsyncer sync"
	s.started(unit, 1)
	s.expect("active", timer)
	s.unplug()
	s.expect("inactive", timer)
	s.refused(timer)
	s.refused(unit)
	s.plug()
	s.expect("active", timer)
	s.started(unit, 2)
	s.fresh()
	s.unplug()
	s.endsWithTheInternet(unit, call)
	s.fresh()
	s.plug()
	s.started(unit, 4)
	s.wantCalls(slices.Repeat([]string{call}, 4)...)
}

func storyOfBoth(s *scene) {
	const target, unit = "online-and-open.target", "chat.service"
	there := func(times int) {
		s.Helper()
		s.expect("active", target, unit)
		s.started(unit, times)
	}
	there(1)
	for _, order := range []struct {
		leave, leaveToo, come, comeToo func()
	}{
		{s.closeLid, s.unplug, s.plug, s.openLid},
		{s.closeLid, s.unplug, s.openLid, s.plug},
		{s.unplug, s.closeLid, s.plug, s.openLid},
		{s.unplug, s.closeLid, s.openLid, s.plug},
	} {
		s.fresh()
		times := s.timeline.Starts(unit)
		order.leave()
		s.expect("inactive", target, unit)
		s.refused(unit)
		order.leaveToo()
		s.idle(target, unit)
		order.come()
		s.idle(target, unit)
		s.refused(target)
		order.comeToo()
		there(times + 1)
	}
	s.fresh()
	// A bridge may also find both conditions true at its start.
	s.closeLid()
	s.unplug()
	s.systemctl("stop", bridgeUnit)
	s.must(s.Uplink.Plug(s.ctx))
	s.must(s.NM.WaitConnectivity(s.ctx, sandbox.ConnectivityFull))
	s.must(s.Login1.SetLid(false))
	s.systemctl("start", bridgeUnit)
	there(6)
	s.oneComesWhileTheOtherIsGoing(target, unit)
	there(7)
}

// oneComesWhileTheOtherIsGoing opens the lid while a service still delays the end of
// internet-online.target. Because of Requisite=, systemd checks that target with a
// job, which replaces the job that should stop it. The bridge must request the stop
// again.
func (s *scene) oneComesWhileTheOtherIsGoing(units ...string) {
	s.Helper()
	hang := sandbox.Home + "/hang"
	s.enable("slow.service", strings.Replace(syncUnit, "[Install]", "ExecStop=/bin/sh -c 'while [ -e "+hang+" ]; do sleep 0.1; done'\n[Install]", 1))
	s.systemctl("start", "slow.service")
	s.fresh()
	s.closeLid()
	s.expect("inactive", units...)
	s.write(hang, "")
	s.must(s.Uplink.Unplug(s.ctx))
	s.expect("deactivating", "slow.service")
	s.openLid()
	// This waits until the bridge has asked again. Otherwise the target would be
	// found active.
	s.until("internet-online.target is to stop", func() bool {
		return strings.Contains(s.systemctl("list-jobs", "--no-legend", "internet-online.target"), " stop ")
	})
	s.must(os.Remove(hang))
	s.offline()
	s.idle(units...)
	s.systemctl("disable", "slow.service")
	s.user("rm .config/systemd/user/slow.service && systemctl --user daemon-reload")
	s.plug()
}

func storyOfDesktop(s *scene) {
	const unit, desktop, call = "online-desktop.service", "graphical-session.target", "nextcloud --background"
	s.idle(unit)
	s.systemctl("start", unit) // its condition skips it
	s.idle(unit)
	// A desktop starts this target through one of its own, because nobody can by hand.
	s.write("desktop.target", "[Unit]\nBindsTo="+desktop+"\n")
	s.systemctl("daemon-reload")
	for round := 1; round <= 2; round++ {
		s.systemctl("start", "desktop.target")
		s.expect("active", unit)
		s.called(2*round-1, call)
		s.unplug()
		s.expect("inactive", unit)
		s.plug()
		s.expect("active", unit)
		s.called(2*round, call)
		s.fresh()
		s.systemctl("stop", "desktop.target")
		s.expect("inactive", desktop, unit)
		s.fresh()
	}
	s.wantCalls(slices.Repeat([]string{call}, 4)...)
}

func storyOfUndocked(s *scene) {
	const call = "playerctl --all-players pause"
	s.closeLid()
	s.wantCalls(call)
	s.openLid()
	s.Login1.SetDocked(true)
	s.closeLid()
	s.wantCalls(call)
	s.openLid()
	s.Login1.SetDocked(false)
	s.fresh()
	s.closeLid()
	s.wantCalls(call, call)
	s.openLid()
}

// sleepAndWake lets the machine sleep and checks what had been called before it slept.
func (s *scene) sleepAndWake(before ...string) {
	s.Helper()
	s.fallAsleep()
	if got := s.calls(); got != strings.Join(before, "\n") {
		s.Errorf("before it slept the calls were\n%s\nnot\n%s", got, strings.Join(before, "\n"))
	}
	s.wakeUp()
	s.expect("inactive", "sleep.target")
	s.expect("active", "wake.target")
}

// waitsFor begins an operation, which must wait until a unit's n-th call has ended.
func (s *scene) waitsFor(operation string, begin func(bool) error, unit string, n int, call string) {
	s.Helper()
	hang := sandbox.Home + "/hang"
	s.locksOn(operation, 1)
	s.write(hang, "")
	s.must(begin(true))
	s.called(n, call)
	if state := s.systemctl("show", "--value", "--property=ActiveState", unit); state != "activating" {
		s.Fatalf("%s is %s before its work is done, so %s does not wait for it", unit, state, operation)
	}
	s.locksOn(operation, 1)
	s.must(os.Remove(hang))
	s.locksOn(operation, 0)
}

func storyOfHooks(s *scene) {
	const before, after = "bluetoothctl power off", "bluetoothctl power on"
	s.wantCalls()
	s.sleepAndWake(before)
	s.wantCalls(before, after)
	s.sleepAndWake(before, after, before)
	s.wantCalls(before, after, before, after)
	s.waitsFor("sleep", s.Login1.PrepareForSleep, "around-sleep.service", 5, before)
	s.wakeUp()
	s.wantCalls(before, after, before, after, before, after)
}

func storyOfWake(s *scene) {
	const call = "xset r rate 220 40"
	s.wantCalls()
	s.sleepAndWake()
	s.wantCalls(call)
	s.sleepAndWake(call)
	s.wantCalls(call, call)
}

func storyOfShutdown(s *scene) {
	const call = `rsync --archive --update /home/gemini/Documents/ 50% of $HOME's; "destination\d"`
	s.wantCalls()
	s.waitsFor("shutdown", s.Login1.PrepareForShutdown, "last-sync.service", 1, call)
	s.must(s.Login1.PrepareForShutdown(false)) // cancelled
	s.expect("inactive", "before-shutdown.target")
	s.wantCalls(call)
}
