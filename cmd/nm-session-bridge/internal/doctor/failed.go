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
	if u.text("Result") != "exit-code" || property[int32](u.properties, "ExecMainStatus") != exitExec {
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
	where := sys.placeOf(u, all, startingDropIn)
	if err != nil || len(start.names) == 0 {
		return byEdit("correct ExecStart= of "+u.name+", to run "+program, restart)
	}
	if where.source != "" {
		path = where.source
	}
	if where.source != "" || start.text == "" {
		return byEdit("in "+path+", replace "+start.names[0]+" with "+program, restart)
	}
	_, line, _ := strings.Cut(start.text, "=")
	line = strings.Replace(strings.TrimSpace(line), start.names[0], program, 1)
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
	case status == exitExec:
		return fmt.Sprintf("its program %s is missing or cannot be run (%s, 203/EXEC)", u.program(), result)
	}
	return fmt.Sprintf("%s, status %d", result, status)
}

// program returns the program of a service (org.freedesktop.systemd1(5), ExecStart).
func (u unit) program() string {
	commands := property[[][]any](u.properties, "ExecStart")
	if len(commands) == 0 || len(commands[0]) == 0 {
		return ""
	}
	path, _ := commands[0][0].(string)
	return path
}
