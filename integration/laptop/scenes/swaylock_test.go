package scenes

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	swaylock = "swaylock.service"
	// swaylockForks is the unit of systemd-lock-handler's documentation. systemd cannot
	// tell which of the two processes that it leaves behind is the main one. So systemd
	// knows neither how it ends nor which one to stop.
	swaylockForks = `[Unit]
OnSuccess=unlock.target
PartOf=lock.target
Before=lock.target

[Service]
Type=forking
ExecStart=/usr/bin/swaylock -f ` + swaylockColour + `
Restart=on-failure
RestartSec=0

[Install]
WantedBy=lock.target
`
	// The colours show who drew a picture of the screen.
	lockColour, deskColour = "12ab56", "c0ffee"
	swaylockColour         = "-c " + lockColour
	// blank is what the compositor shows after locking until the locker has drawn.
	blank = "000000"
	// pictures makes a picture of the screen part of locking: the unit is up once the
	// picture is there. Its name tells how often the laptop had slept.
	pictures = `[Service]
ExecStartPost=/bin/sh -c 'exec grim -t ppm %h/locked-$(cat /sys/power/suspend_stats/success).ppm'
`
	// swayConfig is a desktop of one colour, with a keyboard from the start.
	swayConfig = `output * background #` + deskColour + ` solid_color
exec wtype ` + keepKeyboard + `
exec systemctl --user import-environment WAYLAND_DISPLAY SWAYSOCK
`
	// keepKeyboard makes wtype stay and do nothing, for an hour at most. At the end of
	// wtype the seat loses a keyboard, and swaylock 1.8.2 aborts when it gets the next
	// one.
	keepKeyboard = "-s 3600000"
	password     = "secret"
)

// desktop logs the user in at the seat, into a compositor without a graphics card, and
// returns the session's number.
func (s *scene) desktop() string {
	s.Helper()
	s.must(os.WriteFile(s.who.home()+"/sway", []byte(swayConfig), 0o644))
	s.root("echo " + s.who.name + ":" + password + " | chpasswd")
	session := s.enterWith("/usr/bin/sway --config "+s.who.home()+"/sway", "desktop", append(atTheSeat("tty7"),
		"--setenv=XDG_SESSION_TYPE=wayland", "--setenv=WLR_BACKENDS=headless", "--setenv=WLR_RENDERER=pixman",
		"--setenv=WLR_LIBINPUT_NO_DEVICES=1")...)
	// What the compositor leaves behind keeps the session, and with it the console.
	s.afterwards("loginctl terminate-session " + session + "; while loginctl show-session " + session + " >/dev/null 2>&1; do sleep 0.1; done")
	s.until("the compositor is there", func() bool {
		return strings.Contains(s.systemctl("show-environment"), "SWAYSOCK=")
	})
	s.shows(deskColour)
	return session
}

// inDesktop runs a command line as a program of the desktop would.
func (s *scene) inDesktop(line string) string {
	s.Helper()
	return s.user("export $(systemctl --user show-environment | grep -e ^WAYLAND_DISPLAY= -e ^SWAYSOCK=) && " + line)
}

// types types words and Return.
func (s *scene) types(words string) {
	s.Helper()
	s.user("systemd-run --user --quiet --collect wtype " + words + " -k Return " + keepKeyboard)
}

// shows waits until the screen has a colour in its corner.
func (s *scene) shows(colour string) {
	s.Helper()
	s.until("the screen shows "+colour, func() bool {
		file := filepath.Join(s.who.home(), "now.ppm")
		s.inDesktop("grim -t ppm " + file)
		return s.corner(file) == colour
	})
}

// corner returns the colour of the last corner of a picture: the last three bytes
// of the format that netpbm calls PPM.
func (s *scene) corner(file string) string {
	s.Helper()
	picture, err := os.ReadFile(file)
	s.must(err)
	if !bytes.HasPrefix(picture, []byte("P6")) {
		s.Fatalf("%s is no picture", file)
	}
	return fmt.Sprintf("%x", picture[len(picture)-3:])
}

func TestSwaylock(t *testing.T) {
	onOneLaptop(t)
	s := beginOpen(t)
	s.suspendWithLid("InhibitDelayMaxSec=60\n")
	s.enable(map[string]string{swaylock: swaylockForks, "unlocked.service": once(unlocked)})
	s.write(swaylock+".d/pictures.conf", pictures)
	session := s.desktop()
	s.install()
	s.lock(unlocked)

	s.root("loginctl lock-session " + session)
	s.isCovered()
	s.types("wrong")
	s.until("the wrong password is refused", func() bool {
		return s.root("journalctl --quiet --since="+s.since+" --grep='pam_authenticate failed' || true") != ""
	})
	s.isCovered()
	s.types(password)
	s.isUncovered()
	s.sleepCovered()
	s.types(password)
	s.isUncovered()
	s.starts(map[string]int{locked: 2, swaylock: 2, unlocked: 3, "unlocked.service": 3})
	s.oneLock()
	if !strings.Contains(s.root("swaylock --help 2>&1 || true"), "--ready-fd") {
		return
	}

	s.user("mkdir -p .config/swaylock && echo color=" + lockColour + " > .config/swaylock/config")
	s.enable(map[string]string{swaylock: s.user(".local/bin/nm-session-bridge recipe show lock-swaylock")})
	s.systemctl("daemon-reload")
	s.root("loginctl lock-session " + session)
	s.isCovered()
	s.root("loginctl unlock-session " + session)
	s.isUncovered()
	s.sleepCovered()
	s.systemctl("kill", "--signal=SEGV", "--kill-whom=main", swaylock)
	s.must(s.timeline.WaitStarts(s.ctx, swaylock, 5)) // by its Restart=
	s.isCovered()
	s.systemctl("kill", "--signal=USR1", "--kill-whom=main", swaylock) // by which swaylock unlocks
	s.isUncovered()
	s.starts(map[string]int{locked: 4, swaylock: 5, unlocked: 5, "unlocked.service": 5})
	s.oneLock()
}

// isCovered waits until the locker's screen is there.
func (s *scene) isCovered() {
	s.Helper()
	s.lock(locked)
	s.expect("active", swaylock)
	s.shows(lockColour)
}

// isUncovered waits until the desktop's screen is there.
func (s *scene) isUncovered() {
	s.Helper()
	s.lock(unlocked)
	s.expect("inactive", swaylock)
	s.shows(deskColour)
}

// sleepCovered closes the lid, and checks that the screen was covered before the
// laptop slept and is after it.
func (s *scene) sleepCovered() {
	s.Helper()
	picture := fmt.Sprintf("%s/locked-%d.ppm", s.who.home(), s.slept())
	s.must(os.RemoveAll(picture))
	s.closeToSleep()
	if colour := s.corner(picture); colour != lockColour && colour != blank {
		s.Errorf("before the sleep the screen showed %s, not %s", colour, lockColour)
	}
	s.lid(lidOpen)
	s.isCovered()
}
