package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// Stand-ins for lockers, which take their time to cover the screen. Then they go to the
// background and leave another process there, as swaylock does, or close the descriptor
// that i3lock closes. They end when the password is typed, or by a signal. Hyprland tells
// whether the screen is covered.
const (
	lockingProgram = `#!/bin/bash
[ "$DISPLAY" != ` + nowhere + ` ] || exit 1
if [ "$1" = -f ]; then
	rm -f /home/gemini/covered
	sleep infinity &
	setsid "$0" &
	until [ -e /home/gemini/covered ]; do sleep 0.1; done
	exit
fi
trap 'trap "" USR1 TERM; touch /home/gemini/password' USR1 TERM
sleep 0.5
touch /home/gemini/covered
[ -z "$XSS_SLEEP_LOCK_FD" ] || eval "exec $XSS_SLEEP_LOCK_FD>&-"
until [ -e /home/gemini/password ]; do sleep 0.1; done
rm /home/gemini/covered /home/gemini/password
`
	lockTellingProgram = `#!/bin/sh
[ -e /home/gemini/covered ] && echo true || echo false
`
)

// nowhere is a screen that is not there.
const nowhere = "nowhere"

// locker is a screen and what covers it.
type locker interface {
	// isCovered reports whether the locker covers the screen.
	isCovered(s *scene) bool
	typesThePassword(s *scene)
}

// storyOfALocker locks the screen in every way. Whenever lock.target is active or the
// machine sleeps, the screen is covered.
func storyOfALocker(unit string, of locker) func(*scene) {
	return func(s *scene) {
		covered := func(want bool, when string) {
			s.Helper()
			if of.isCovered(s) != want {
				s.Errorf("%s it is %t that the screen is covered", when, !want)
			}
		}
		s.lock("unlocked")
		covered(false, "in the beginning")
		s.must(s.Login1.AskToLock(true))
		s.expect("active", "lock.target")
		covered(true, "with lock.target")
		s.lock("locked")
		of.typesThePassword(s)
		s.lock("unlocked")
		covered(false, "after the password")

		s.askFor("locked")
		s.askFor("unlocked")
		s.settle()
		covered(false, "after Unlock")

		s.fallAsleep()
		covered(true, "asleep")
		s.wakeUp()
		s.lock("locked")
		s.settle()
		covered(true, "after waking up")

		s.systemctl("kill", "--signal=KILL", unit)
		s.must(s.timeline.WaitStarts(s.ctx, unit, 4))
		s.expect("active", unit)
		covered(true, "after a crash")
		s.lock("locked")
		of.typesThePassword(s)
		s.lock("unlocked")
		s.settle()
		covered(false, "in the end")
		s.started(unit, 4)

		s.needsAScreen(unit)
		covered(true, "once there is a screen")
		of.typesThePassword(s)
		s.lock("unlocked")
	}
}

// needsAScreen checks that the start of a locker fails if it ends without having covered
// the screen, and makes it lock once there is one.
func (s *scene) needsAScreen(unit string) {
	s.Helper()
	dir := sandbox.Home + "/.config/systemd/user/" + unit + ".d"
	s.write(dir+"/screen.conf", "[Service]\nEnvironment=DISPLAY="+nowhere+" WAYLAND_DISPLAY="+nowhere+"\n")
	s.systemctl("daemon-reload")
	s.systemctl("reset-failed")
	s.record()
	s.must(s.Login1.AskToLock(true))
	if result := s.jobEnds(unit); result != "failed" {
		s.Errorf("without a screen the start of %s ends as %s", unit, result)
	}
	s.expect("active", "lock.target")
	s.must(os.RemoveAll(dir))
	s.systemctl("daemon-reload")
	s.systemctl("reset-failed", unit)
	s.must(s.Login1.AskToLock(true))
	s.expect("active", unit)
}

// jobEnds waits for the end of a unit's first job since the timeline was made.
func (s *scene) jobEnds(unit string) (result string) {
	s.Helper()
	for i := 0; ; i++ {
		event, err := s.timeline.Event(s.ctx, i)
		if err != nil {
			s.Fatalf("no job of %s ends: %v", unit, err)
		}
		if event.Kind == sandbox.JobRemoved && event.Unit == unit {
			return event.Result
		}
	}
}

type standInLocker struct{}

func (standInLocker) isCovered(*scene) bool {
	_, err := os.Stat(sandbox.Home + "/covered")
	return err == nil
}

func (standInLocker) typesThePassword(s *scene) { s.write(sandbox.Home+"/password", "") }

// i3lock is the real one, on an X server without a screen.
type i3lock struct{}

const inX = "DISPLAY=:7 "

func (i3lock) isCovered(s *scene) bool {
	return strings.Contains(s.user(inX+"xwininfo -root -children"), `"i3lock"`)
}

func (i3lock) typesThePassword(s *scene) {
	s.user(inX + "xdotool type secret && " + inX + "xdotool key Return")
}

// TestI3lock plays the recipe with the program itself, which accepts any password.
func TestI3lock(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.Login1.SetInhibitDelayMax(enoughDelay)
	s.layOver("/etc/pam.d")
	s.must(os.WriteFile("/etc/pam.d/i3lock", []byte("auth required pam_permit.so\n"), 0o644))
	s.install()
	s.online()
	s.startX()
	s.user(program + " recipe add lock-i3lock && systemctl --user enable lock-i3lock.service")
	s.record()
	storyOfALocker("lock-i3lock.service", i3lock{})(s)
}

// startX starts an X server without a screen, for all units of the user.
func (s *scene) startX() {
	s.Helper()
	// Its socket and lock file have the same names in every sandbox, and on the machine.
	s.layOver("/tmp")
	s.must(os.Chmod("/tmp", 0o777|os.ModeSticky))
	s.must(os.RemoveAll("/tmp/.X7-lock"))
	s.must(os.RemoveAll("/tmp/.X11-unix/X7"))
	s.user("systemd-run --user --quiet --collect --unit=screen Xvfb :7 -noreset -screen 0 320x200x24")
	s.until("there is a screen", func() bool { return s.Command("sh", "-c", inX+"xwininfo -root").Run() == nil })
	s.systemctl("set-environment", strings.TrimSpace(inX))
}

// swaylock is the real one, on a compositor without a graphics card.
type swaylock struct{}

const (
	lockColour, deskColour = "12ab56", "c0ffee"
	// swayConfig is a desktop of one colour, with a keyboard for an hour at most.
	swayConfig = `output * background #` + deskColour + ` solid_color
exec wtype -s 3600000
exec systemctl --user import-environment WAYLAND_DISPLAY
`
	// onSway makes a command run in the desktop.
	onSway = "export $(systemctl --user show-environment | grep ^WAYLAND_DISPLAY=) && "
)

func (swaylock) isCovered(s *scene) bool {
	colour := s.corner()
	if colour != lockColour && colour != deskColour {
		s.Errorf("the screen shows %q", colour)
	}
	return colour == lockColour
}

// corner returns the colour of the last corner of the screen: the last three bytes of the
// format that netpbm calls PPM.
func (s *scene) corner() string {
	s.Helper()
	return s.user(onSway + "grim -t ppm - 2>/dev/null | tail -c 3 | od -An -tx1 | tr -d ' '")
}

func (swaylock) typesThePassword(s *scene) {
	// wtype stays, because swaylock 1.8.2 aborts when it gets a keyboard after another was
	// taken away.
	s.user("systemd-run --user --quiet --collect wtype secret -k Return -s 3600000")
}

// TestSwaylock plays the recipe with the program itself, which asks PAM.
func TestSwaylock(t *testing.T) {
	s := begin(t, sandbox.Options{})
	s.Login1.SetInhibitDelayMax(enoughDelay)
	s.layOver("/etc/pam.d")
	s.must(os.WriteFile("/etc/pam.d/swaylock", []byte("auth required pam_permit.so\n"), 0o644))
	s.write(sandbox.Home+"/.config/swaylock/config", "color="+lockColour+"\n")
	s.write(sandbox.Home+"/.config/sway/config", swayConfig)
	s.install()
	s.online()
	s.user("systemd-run --user --quiet --collect --unit=screen --setenv=WLR_BACKENDS=headless --setenv=WLR_RENDERER=pixman --setenv=WLR_LIBINPUT_NO_DEVICES=1 sway")
	s.until("the desktop is there", func() bool { return s.corner() == deskColour })
	s.user(program + " recipe add lock-swaylock && systemctl --user enable lock-swaylock.service")
	s.record()
	storyOfALocker("lock-swaylock.service", swaylock{})(s)
}
