package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// exitExec is the exit status of a service whose program could not be run
// (systemd.exec(5), "Process Exit Codes").
const exitExec = 203

// failures finds failed units that our targets start.
func (sys *system) failures() []Finding {
	var found []Finding
	seen := map[string]bool{}
	for _, target := range sys.targets {
		found = append(found, sys.failedUnder(target, target, seen)...)
	}
	return found
}

// failedUnder finds failed units that a target starts, directly or through other targets and
// timers.
// The root is the target of ours at the beginning of this chain.
func (sys *system) failedUnder(target, root string, seen map[string]bool) []Finding {
	var found []Finding
	by, verb := sys.user.unit(target), "wants"
	if len(by.texts("Triggers")) > 0 {
		verb = "starts" // as a timer does
	}
	for _, name := range slices.Concat(by.wants(), by.texts("Triggers")) {
		if seen[name] || slices.Contains(sys.targets, name) {
			continue
		}
		seen[name] = true
		u, unitName := sys.user.unit(name), systemdctl.Operands(name)
		f := Finding{Unit: name, What: fmt.Sprintf("%s, which %s %s, has failed: ", name, target, verb)}
		switch {
		case u.text("Result") == "start-limit-hit" && sys.user.unit(root).active():
			f.What += "start-limit-hit"
			f.Why = "it was started too often in a short time, so systemd does not start it again"
			f.Mend = run("systemctl --user reset-failed " + unitName + " && systemctl --user start " + unitName)
			found = append(found, f)
		case slices.Contains(sys.user.own, name) && u.lacksIdentity():
			// identities finds it
		case slices.Contains(unloadable(), u.load()):
			// found as a unit that cannot be loaded
		case u.text("ActiveState") == "failed":
			f.What += u.failure()
			f.Why = "it failed after the target started it"
			f.Mend = sys.afterFailure(u)
			found = append(found, f)
		case u.text("SubState") == "auto-restart" && u.text("Result") != "success":
			f.What = fmt.Sprintf("%s, which %s %s, fails each time: %s", name, target, verb, u.failure())
			f.Why = "systemd keeps restarting it, because of its Restart="
			f.Mend = sys.afterFailure(u)
			found = append(found, f)
		}
		if last := len(found) - 1; last >= 0 && found[last].Unit == name && u.text("Result") != "start-limit-hit" && sys.lacksScreen(u) {
			found[last].Why = "it found no screen; services have one once " + graphical + " is active"
			found[last].Mend = sys.afterScreen(u)
		}
		if strings.HasSuffix(name, ".target") || len(u.texts("Triggers")) > 0 {
			found = append(found, sys.failedUnder(name, root, seen)...)
		}
	}
	return found
}

// startAnew returns the command that starts a unit however often it was started before:
// reset-failed also forgets that (systemctl(1)).
func startAnew(u unit) string {
	name := systemdctl.Operands(u.name)
	return "systemctl --user reset-failed " + name + " && systemctl --user restart " + name
}

// afterFailure mends the cause of a unit's failure, and starts the unit again.
func (sys *system) afterFailure(u unit) Mend {
	restart := startAnew(u)
	if u.load() == "not-found" {
		again := byEdit("write its file again", restart)
		return byHand(again.ByHand + "; or have systemd forget the failure: systemctl --user reset-failed " + systemdctl.Operands(u.name))
	}
	if !u.cannotRun() {
		return byEdit("find out why with journalctl --user -u "+systemdctl.Quote(u.name)+", and fix that", restart)
	}
	program := u.program()
	if isScriptWithoutRight(program) {
		return run("chmod u+x " + systemdctl.Operands(program)).then(restart)
	}
	if there := sys.find(filepath.Base(program)); there != "" && there != program {
		return sys.useProgram(u, there, restart)
	}
	for _, r := range systemdctl.Recipes() {
		for _, known := range r.Programs {
			if known.Name == filepath.Base(program) {
				return thisDistribution().program(known).then(restart)
			}
		}
	}
	return byEdit("install "+program+", or correct ExecStart= of "+u.name, restart)
}

// cannotRun reports whether a service failed because its program could not be run.
func (u unit) cannotRun() bool {
	return u.text("Result") == "exit-code" && property[int32](u.properties, "ExecMainStatus") == exitExec
}

// isScriptWithoutRight reports whether a program is one of the user's own files that lacks
// the right to be run.
func isScriptWithoutRight(program string) bool {
	var file unix.Stat_t
	return unix.Stat(program, &file) == nil && file.Mode&unix.S_IFMT == unix.S_IFREG && file.Mode&0o111 == 0 && int(file.Uid) == os.Geteuid()
}

// useProgram makes a service run a program that is not where its ExecStart= says, and
// starts it again.
func (sys *system) useProgram(u unit, program, restart string) Mend {
	all, err := readAll(u)
	path, start := all.startLine()
	dropIn := startingDropIn
	if filepath.Base(path) == dropInName { // that one takes effect last
		dropIn = dropInName
	}
	where := sys.placeOf(u, all, dropIn)
	_, line, _ := strings.Cut(start.text, "=")
	line = strings.TrimSpace(line)
	command := strings.TrimLeft(line, "@-:+!|") // systemd.service(5), "Special executable prefixes"
	word, arguments, _ := strings.Cut(command, " ")
	if err != nil || where.source != "" || len(u.commands()) != 1 || filepath.Base(word) != filepath.Base(program) {
		return byEdit("correct ExecStart= of "+u.name+", to run "+program, restart)
	}
	line = strings.TrimSpace(strings.TrimSuffix(line, command) + program + " " + arguments)
	return run(where.write(map[string][]string{"Service": {"ExecStart=", "ExecStart=" + line}})).then(reload).then(restart)
}

// find returns where the caller's shell finds a program.
func (sys *system) find(program string) string {
	for _, dir := range filepath.SplitList(variables(sys.Environment)["PATH"]) {
		path := filepath.Join(dir, program)
		if unix.Access(path, unix.X_OK) == nil && filepath.IsAbs(path) && !strings.ContainsAny(path, " %$\\\"'") {
			return path
		}
	}
	return ""
}

// failure describes how a unit has failed.
func (u unit) failure() string {
	result, status := u.text("Result"), property[int32](u.properties, "ExecMainStatus")
	switch {
	case u.load() == "not-found":
		return "its file is gone, and its last run ended with " + result
	case result != "exit-code":
		return result
	case u.cannotRun():
		return fmt.Sprintf("its program %s is missing or cannot be run (%s, 203/EXEC)", u.program(), result)
	}
	return fmt.Sprintf("%s, status %d", result, status)
}

// commands returns what a service runs (org.freedesktop.systemd1(5), ExecStart).
func (u unit) commands() [][]any { return property[[][]any](u.properties, "ExecStart") }

// program returns the program of a service: of several, the one that could not be run, or
// else the first.
func (u unit) program() string {
	const path, status = 0, 9 // of the fields of a command
	programs := slices.DeleteFunc(slices.Clone(u.commands()), func(command []any) bool { return len(command) <= status })
	if len(programs) == 0 {
		return ""
	}
	i := max(0, slices.IndexFunc(programs, func(command []any) bool { return command[status] == int32(exitExec) }))
	name, _ := programs[i][path].(string)
	return name
}
