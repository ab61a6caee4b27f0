package doctor

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// locker says how a program that covers the screen goes to the background as soon as it has
// covered it, which Type=forking waits for.
type locker struct {
	// flags are the ways to ask for it, the first of which is the one to add. There are none
	// for a program that does so by itself.
	flags []string
	// stays are the flags that keep it from doing so.
	stays []string
}

// lockers are as in the manual pages of the programs. Of those that are not among them, such
// as hyprlock, nobody can know when the screen is covered.
func lockers() map[string]locker {
	return map[string]locker{
		"swaylock": {flags: []string{"-f", "--daemonize"}},
		"gtklock":  {flags: []string{"-d", "--daemonize"}},
		"waylock":  {flags: []string{"-fork-on-lock"}},
		"xtrlock":  {flags: []string{"-f"}},
		"i3lock":   {stays: []string{"-n", "--nofork"}},
	}
}

// covers finds a locker that counts as started before it has covered the screen.
func (c unitCheck) covers() []Finding {
	program, words := filepath.Base(c.program()), c.arguments()
	known, isLocker := lockers()[program]
	if !isLocker || len(words) == 0 || !slices.Contains([]string{"simple", "exec", "idle"}, c.text("Type")) {
		return nil
	}
	i := slices.IndexFunc(c.targets, func(target string) bool {
		return (c.locks(target) || slices.Contains(c.beforeSleep(), target)) &&
			(slices.Contains(c.wanters(c.name), target) || slices.Contains(c.files.installs(), target))
	})
	if i < 0 {
		return nil
	}
	c.change.add("Service", "Type=forking")
	_, start := c.files.startLine()
	_, line, _ := strings.Cut(start.text, "=")
	line = strings.TrimSpace(line)
	switch asks := func(word string) bool { return slices.Contains(known.flags, word) }; {
	case slices.ContainsFunc(words, func(word string) bool { return slices.Contains(known.stays, word) }):
		kept := slices.DeleteFunc(strings.Fields(line), func(word string) bool { return slices.Contains(known.stays, word) })
		c.start(start, strings.Join(kept, " "))
	case len(known.flags) > 0 && !slices.ContainsFunc(words, asks):
		c.start(start, line+" "+known.flags[0])
	}
	return []Finding{{
		What: fmt.Sprintf("%s: Type=%s does not wait until %s has covered the screen", c.name, c.text("Type"), program),
		Why:  c.targets[i] + " counts as reached as soon as the program is started, and the machine may sleep before the screen is covered",
	}}
}

// start changes the command line of a service.
func (c unitCheck) start(now setting, line string) {
	c.change.add("Service", "ExecStart=", "ExecStart="+line)
	if now.text == "" {
		c.change.unable = "the line goes on"
	}
}
