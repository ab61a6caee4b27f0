package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// locker says how a program that covers the screen goes to the background once it has done
// so. Type=forking waits for that.
type locker struct {
	// flags are the flags that make it do so; the first is the one to add. A program that
	// does so by itself has none.
	flags []string
	// stays are the flags that keep it from doing so.
	stays []string
	// valued are the letters of flags with a value: in -cff, ff is a colour and no flag.
	valued string
}

// lockers are as in the manual pages of swaylock 1.8, gtklock 4.0, xtrlock 2.16 and i3lock
// 2.15, as Debian 13 has them, and of waylock's sources. Only its sources show that gtklock
// -d waits until the screen is covered. Other programs, such as hyprlock, do not show when
// they have covered the screen.
func lockers() map[string]locker {
	return map[string]locker{
		"swaylock": {flags: []string{"-f", "--daemonize"}, valued: "CRcis"},
		"gtklock":  {flags: []string{"-d", "--daemonize"}, valued: "LMTUbcgmstx"},
		"waylock":  {flags: []string{"-fork-on-lock"}},
		"xtrlock":  {flags: []string{"-f"}},
		"i3lock":   {stays: []string{"-n", "--nofork"}, valued: "Icip"},
	}
}

// letters returns the flags in a word of several, such as ef of -efc.
func (l locker) letters(word string) string {
	letters, isFlags := strings.CutPrefix(word, "-")
	if !isFlags || strings.HasPrefix(letters, "-") {
		return ""
	}
	if i := strings.IndexAny(letters, l.valued); i >= 0 {
		letters = letters[:i]
	}
	return letters
}

// without returns a word without some flags, and reports whether it had any of them.
func (l locker) without(word string, flags []string) (rest string, had bool) {
	for _, flag := range flags {
		if word == flag {
			return "", true
		}
		if i := strings.Index(l.letters(word), flag[1:]); i >= 0 && len(flag) == len("-f") {
			return word[:1+i] + word[2+i:], true
		}
	}
	return word, false
}

// asked returns the words of a command line that contain one of some flags.
func (l locker) asked(words, flags []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(word string) bool {
		_, had := l.without(word, flags)
		return !had
	})
}

// locker returns the program that covers the screen, and its arguments, if doctor knows it.
func (c unitCheck) locker() (program string, words []string, known locker) {
	words = c.words()
	for len(words) > 0 && (filepath.Base(words[0]) == "env" || strings.Contains(words[0], "=")) {
		words = words[1:]
	}
	if len(words) == 0 {
		return "", nil, locker{}
	}
	program = filepath.Base(words[0])
	known, isLocker := lockers()[program]
	if !isLocker {
		return "", nil, locker{}
	}
	return program, words[1:], known
}

// covers finds a locker that counts as started before it has covered the screen, or that
// never counts as started.
func (c unitCheck) covers() []Finding {
	program, words, known := c.locker()
	if program == "" || c.cannotRun() { // its line must change first, which failures says
		return nil
	}
	i := slices.IndexFunc(c.targets, func(target string) bool {
		return (c.locks(target) || slices.Contains(c.beforeSleep(), target)) &&
			(slices.Contains(c.wanters(c.name), target) || slices.Contains(c.files.installs(), target))
	})
	if i < 0 {
		return nil
	}
	stays := known.asked(words, known.stays)
	lacks := len(known.flags) > 0 && len(known.asked(words, known.flags)) == 0
	f := Finding{
		What: fmt.Sprintf("%s: Type=%s does not wait until %s has covered the screen", c.name, c.text("Type"), program),
		Why:  c.targets[i] + " counts as reached as soon as the program starts, so the machine may sleep before the screen is covered",
	}
	switch kind := c.text("Type"); {
	case slices.Contains([]string{"simple", "exec", "idle"}, kind):
		c.change.add("Service", "Type=forking")
	case kind == "forking" && (len(stays) > 0 || lacks && !isConfigured(program) && !c.hasVariables()):
		f.What = fmt.Sprintf("%s: Type=forking waits for %s to go to the background, but it does not", c.name, program)
		f.Why = "systemd ends the program after TimeoutStartSec="
	default:
		return nil
	}
	path, start := c.files.startLine()
	_, line, _ := strings.Cut(start.text, "=")
	line = strings.TrimSpace(line)
	for _, word := range stays {
		rest, _ := known.without(word, known.stays)
		asking := regexp.MustCompile(`\s` + regexp.QuoteMeta(word) + `(\s|$)`)
		if !asking.MatchString(line) { // it is quoted, or has specifiers
			c.change.instead = byEdit("in " + path + ", write Type=forking, and ExecStart= without " + strings.Join(known.stays, " or "))
		}
		rest = strings.ReplaceAll(strings.TrimRight(" "+rest, " "), "$", "$$") // a bare $ would name a part of the match
		line = asking.ReplaceAllString(line, rest+"$1")
	}
	if lacks {
		line += " " + known.flags[0]
	}
	if lacks || len(stays) > 0 {
		c.start(start, line)
	}
	return []Finding{f}
}

// isConfigured reports whether a file of the user's may ask a locker to go to the background.
func isConfigured(program string) bool {
	dir, err := os.UserConfigDir()
	if err != nil {
		return false
	}
	dir = filepath.Join(dir, program)
	return slices.ContainsFunc(matching(dir, "config*"), func(name string) bool {
		content, _ := readUnit(filepath.Join(dir, name)) // a file that cannot be read asks for nothing
		return strings.Contains(string(content), "daemonize")
	})
}

// uncovers finds a locker that stops with a target which ends without a password, as when the
// lid opens.
func (c unitCheck) uncovers() []Finding {
	program, _, _ := c.locker()
	if program == "" || c.isOnce() {
		return nil
	}
	for _, target := range c.beforeSleep() {
		keys := c.among(following(), target)
		if len(keys) == 0 || !slices.Contains(c.wanters(c.name), target) && !slices.Contains(c.files.installs(), target) {
			continue
		}
		c.reported[target] = true
		c.change.rewrite("Unit", following(), func(_, name string) (string, bool) { return name, name != target })
		return []Finding{{
			What: fmt.Sprintf("%s: %s%s ends %s without a password", c.name, settings(keys), target, program),
			Why:  "it stops with the target: the screen is then uncovered, or stays locked with nothing to unlock it",
		}}
	}
	return nil
}

// start changes the command line of a service.
func (c unitCheck) start(now setting, line string) {
	c.change.add("Service", "ExecStart=", "ExecStart="+line)
	if now.text == "" {
		c.change.unable = "the line continues on the next one"
	}
}
