package doctor

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// anew restarts the bridge's service with its present files.
const anew = reload + " && systemctl --user restart " + systemdctl.ServiceName

func (sys *system) service() []Finding {
	const name = systemdctl.ServiceName
	s := sys.user.unit(name)
	f := Finding{Why: "nothing keeps the targets true"}
	switch state := s.text("ActiveState"); {
	case s.load() == "masked":
		next := sys.Program + " install --now"
		if sys.isInstalled() {
			next = "systemctl --user enable --now " + name
		}
		f.What = name + " is masked"
		f.Mend = sys.user.unmask(sys.user.mask(name)).then(next)
	case s.load() == "not-found":
		f.What = name + " is not installed"
		f.Mend = run(sys.Program + " install --now")
	case s.load() != "loaded":
		f = sys.unloadable(s)
	case slices.Contains([]string{"disabled", "linked", "linked-runtime"}, s.state()):
		f.What = name + " is not enabled"
		f.Why = "the targets follow nothing after the next login"
		f.Mend = run("systemctl --user enable --now " + name)
	case state == "failed", s.text("SubState") == "auto-restart":
		f = sys.failed(s)
	case state == "inactive":
		f.What = name + " is not running"
		f.Mend = run("systemctl --user start " + name)
	case s.isOutdated():
		f.What = name + " runs with a different command line or environment than its files set"
		f.Why = "the process is older than the change, so the change has no effect yet"
		f.Mend = run("systemctl --user restart " + name)
	default:
		return nil
	}
	return about(name, []Finding{f})
}

// isInstalled reports whether there is a file of the service, which a mask may hide.
func (sys *system) isInstalled() bool {
	switch sys.user.unit(systemdctl.ServiceName).load() {
	case "not-found":
		return false
	case "masked":
		return sys.user.hidesAFile(sys.user.mask(systemdctl.ServiceName))
	}
	return true
}

// unloadable describes what keeps the user manager from loading the service.
func (sys *system) unloadable(s unit) Finding {
	f := Finding{
		What: fmt.Sprintf("%s cannot be loaded (%s)", s.name, s.load()),
		Why:  "nothing keeps the targets true",
		Mend: run(sys.Program + " install --now --force"),
	}
	if path, isSecond := secondStart(s); isSecond {
		f.What = secondStartOf(s, path)
		f.Why = "a service can have only one ExecStart=, so it does not start, and nothing keeps the targets true"
		f.Mend = sys.emptyFirst(s, path)
	} else if len(s.texts("DropInPaths")) > 0 {
		f.Mend = byHand("systemd-analyze --user verify " + s.name + " says why; then " + anew)
	}
	return f
}

func (sys *system) failed(s unit) Finding {
	result, status := s.text("Result"), property[int32](s.properties, "ExecMainStatus")
	f := Finding{
		What: fmt.Sprintf("%s has failed: %s, status %d", s.name, result, status),
		Why:  "nothing keeps the targets true; journalctl --user -u " + s.name + " shows the reason",
		Mend: run("systemctl --user restart " + s.name),
	}
	path, start := startLine(s)
	err := sys.wrongFlags(s)
	switch {
	case result == "exit-code" && status == exitExec:
		f.What = s.name + " has failed: its program " + s.program() + " in " + path + " is missing or cannot be run (203/EXEC)"
		f.Mend = sys.rightProgram(s, path, start)
	case err != nil:
		f.What = s.name + " has failed: wrong flags in " + path
		f.Mend = byHand("correct " + path + ", then " + anew + ": " + err.Error())
	}
	return f
}

// rightProgram makes a drop-in run the program of the service's own file, or this program.
func (sys *system) rightProgram(s unit, path string, start setting) Mend {
	fragment := s.text("FragmentPath")
	if path == fragment {
		return run(sys.Program + " install --now")
	}
	program := sys.Path
	if _, own := (files{readPath(fragment)}).startLine(); len(own.names) > 0 && exists(strings.ReplaceAll(own.names[0], "%h", variables(sys.Environment)["HOME"])) {
		program = own.names[0]
	}
	sudo := isRoots(path)
	line := strings.Replace(start.text, start.names[0], program, 1)
	if start.text == "" || !isEditable(path, sudo) || strings.ContainsAny(program, " $\\\"'") {
		return byHand("in " + path + ", replace " + start.names[0] + " with " + program + "; then " + anew)
	}
	return run(asRoot(sudo, "sed -i -e "+systemdctl.Quote("s/^"+pattern(start.text)+"$/"+replacement(line)+"/")+" "+systemdctl.Quote(path)) + " && " + anew)
}

// startLine returns the ExecStart= that counts, and its file.
func startLine(s unit) (path string, start setting) {
	all, _ := readAll(s) // a file that cannot be read is not named
	return all.startLine()
}

func (fs files) startLine() (path string, start setting) {
	for _, f := range fs {
		for _, one := range f.settings {
			if one.section == "Service" && one.key == "ExecStart" && len(one.names) > 0 {
				path, start = f.path, one
			}
		}
	}
	return path, start
}

// secondStart finds the file that sets ExecStart= of a service again without emptying it
// first, which only Type=oneshot allows.
func secondStart(s unit) (path string, found bool) {
	all, _ := readAll(s) // a file that cannot be read is not named
	have := false
	for _, f := range all {
		for _, one := range f.settings {
			if one.section != "Service" || one.key != "ExecStart" {
				continue
			}
			if have && len(one.names) > 0 {
				return f.path, f.path != all[0].path
			}
			have = len(one.names) > 0
		}
	}
	return "", false
}

func secondStartOf(s unit, path string) string {
	return s.name + " cannot be loaded: " + path + " sets ExecStart= without an empty ExecStart= before it"
}

// emptyFirst puts an empty ExecStart= before the ExecStart= of a drop-in.
func (sys *system) emptyFirst(s unit, path string) Mend {
	sudo := isRoots(path)
	starts := 0
	for _, one := range readPath(path).settings {
		if one.section == "Service" && one.key == "ExecStart" && len(one.names) > 0 {
			starts++
		}
	}
	apply := reload
	if s.name == systemdctl.ServiceName {
		apply = anew
	}
	if starts != 1 || !isEditable(path, sudo) {
		return byHand("in " + path + ", write an empty ExecStart= before the only ExecStart= that it needs; then " + apply)
	}
	const blanks = "[[:space:]]*"
	const start = "^" + blanks + "ExecStart" + blanks + "="
	return run(asRoot(sudo, "sed -i -e '/"+start+blanks+"$/d' -e '0,/"+start+`/s//ExecStart=\n&/' `+systemdctl.Quote(path)) + " && " + apply)
}

// wrongFlags returns what is wrong with the flags in the service's command line, if
// anything.
func (sys *system) wrongFlags(s unit) (err error) {
	if args := s.arguments(); len(args) > 0 {
		return sys.Usage(args[1:])
	}
	return nil
}

// words returns the service's command line, with variables unexpanded.
func (u unit) words() []string {
	commands := property[[][]any](u.properties, "ExecStart") // of a(sasbttttuii), org.freedesktop.systemd1(5)
	if len(commands) == 0 || len(commands[len(commands)-1]) < 2 {
		return nil
	}
	words, _ := commands[len(commands)-1][1].([]string)
	return words
}

func (u unit) hasVariables() bool {
	return slices.ContainsFunc(u.words(), func(word string) bool { return strings.Contains(word, "$") })
}

// arguments returns the service's command line, or nothing if it depends on variables.
func (u unit) arguments() []string {
	if u.hasVariables() {
		return nil
	}
	return u.words()
}

// isOutdated reports whether the service's process was started with another command line, or
// without variables that its files set.
func (u unit) isOutdated() bool {
	args, process := u.arguments(), filepath.Join("/proc", fmt.Sprint(property[uint32](u.properties, "MainPID")))
	running, err := os.ReadFile(filepath.Join(process, "cmdline"))
	if err != nil || len(running) == 0 || len(args) == 0 {
		return false
	}
	environment, _ := os.ReadFile(filepath.Join(process, "environ"))
	if len(property[[][]any](u.properties, "EnvironmentFiles"))+len(u.texts("UnsetEnvironment")) > 0 {
		environment = nil // they change what Environment= sets
	}
	known := strings.Split(string(environment), "\x00")
	lacks := func(variable string) bool { return !slices.Contains(known, variable) }
	return !bytes.Equal(running, []byte(strings.Join(args, "\x00")+"\x00")) ||
		len(environment) > 0 && slices.ContainsFunc(u.texts("Environment"), lacks)
}
