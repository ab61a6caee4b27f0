package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (sys *system) service() []Finding {
	const name = systemdctl.ServiceName
	s := sys.user.unit(name)
	f := Finding{Why: "nothing keeps the targets true"}
	switch state := s.text("ActiveState"); {
	case s.load() == "masked":
		f.What = name + " is masked"
		f.Mend = run("systemctl --user unmask " + name + " && systemctl --user enable --now " + name)
	case s.load() == "not-found":
		f.What = name + " is not installed"
		f.Mend = run(sys.Program + " install --now")
	case s.load() != "loaded":
		f.What = fmt.Sprintf("%s cannot be loaded (%s)", name, s.load())
		f.Mend = run(sys.Program + " install --now --force")
	case slices.Contains([]string{"disabled", "linked", "linked-runtime"}, s.state()):
		f.What = name + " is not enabled"
		f.Why = "the targets do not follow anything after the next login"
		f.Mend = run("systemctl --user enable --now " + name)
	case state == "failed", s.text("SubState") == "auto-restart":
		f = sys.failed(s)
	case state == "inactive":
		f.What = name + " does not run"
		f.Mend = run("systemctl --user start " + name)
	default:
		return nil
	}
	return about(name, []Finding{f})
}

func (sys *system) failed(s unit) Finding {
	status := property[int32](s.properties, "ExecMainStatus")
	f := Finding{
		What: fmt.Sprintf("%s has failed: %s, status %d", s.name, s.text("Result"), status),
		Why:  "nothing keeps the targets true; journalctl --user -u " + s.name + " shows the reason",
		Mend: run("systemctl --user restart " + s.name),
	}
	if path, err := sys.wrongFlags(s); err != nil {
		f.What = s.name + " has failed: wrong flags in " + path
		f.Mend = byHand("correct " + path + ", then systemctl --user daemon-reload and systemctl --user restart " + s.name + ": " + err.Error())
	}
	return f
}

// wrongFlags returns what is wrong with the flags in the service's command line, if
// anything, and the file that has them.
func (sys *system) wrongFlags(s unit) (path string, err error) {
	for _, command := range property[[][]any](s.properties, "ExecStart") { // of a(sasbttttuii), org.freedesktop.systemd1(5)
		args, _ := command[1].([]string)
		isVariable := slices.ContainsFunc(args, func(arg string) bool { return strings.Contains(arg, "$") })
		if len(args) > 0 && !isVariable {
			err = sys.Usage(args[1:])
		}
	}
	all, _ := readAll(s) // a file that cannot be read is not named
	for _, f := range all {
		if len(f.names("Service", "ExecStart")) > 0 {
			path = f.path
		}
	}
	return path, err
}

// sessionVariables returns the variables that programs need from a session.
func sessionVariables() []string {
	return []string{"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS"}
}

// environment finds variables that the caller's environment has and the user manager's
// lacks.
func (sys *system) environment() []Finding {
	here, there := variables(sys.Environment), variables(sys.user.manager.texts("Environment"))
	var missing []string
	for _, name := range sessionVariables() {
		if here[name] != "" && there[name] == "" && isOfThisSession(name, here) {
			missing = append(missing, name)
		}
	}
	gaps := slices.Clone(missing)
	if dirs := sys.missingPath(here, there); len(dirs) > 0 {
		missing = append(missing, "PATH")
		gaps = append(gaps, listed(dirs)+" in PATH")
	}
	if len(missing) == 0 {
		return nil
	}
	return []Finding{{
		What: "the user manager's environment lacks " + listed(gaps),
		Why:  "services have the manager's environment, not the session's: their programs find neither the screen nor the tools that only the session has",
		Mend: run("systemctl --user import-environment " + strings.Join(missing, " ")),
	}}
}

func variables(environment []string) map[string]string {
	all := map[string]string{}
	for _, one := range environment {
		name, value, _ := strings.Cut(one, "=")
		all[name] = value
	}
	return all
}

// isOfThisSession reports whether a variable belongs to a session on this machine. The
// variables of an ssh connection end with it.
func isOfThisSession(name string, here map[string]string) bool {
	return name == "DBUS_SESSION_BUS_ADDRESS" || here["SSH_CONNECTION"] == ""
}

// hasPrograms reports whether a directory has programs besides our own, which services do
// not need.
func hasPrograms(dir string) bool {
	d, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1) // a directory that cannot be read has none
	return slices.ContainsFunc(names, func(name string) bool { return name != "nm-session-bridge" })
}

// missingPath returns the $PATH directories in the user's home that the manager lacks, if
// the user has a service that may need them.
func (sys *system) missingPath(here, there map[string]string) []string {
	bound := slices.ContainsFunc(sys.user.own, func(name string) bool {
		return strings.HasSuffix(name, ".service") && len(sys.wanters(name)) > 0
	})
	if !bound || here["HOME"] == "" {
		return nil
	}
	known := filepath.SplitList(there["PATH"])
	var missing []string
	for _, dir := range filepath.SplitList(here["PATH"]) {
		if strings.HasPrefix(dir, here["HOME"]+"/") && !slices.Contains(known, dir) && !slices.Contains(missing, dir) && hasPrograms(dir) {
			missing = append(missing, dir)
		}
	}
	return missing
}

// reload finds units whose files changed after the user manager read them.
func (sys *system) reload() []Finding {
	var changed []string
	for _, name := range slices.Concat([]string{systemdctl.ServiceName}, sys.targets, sys.user.own) {
		if sys.user.unit(name).is("NeedDaemonReload") {
			changed = append(changed, name)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return []Finding{{
		What: few(changed) + " changed on disk, and the user manager has not read the changes",
		Why:  "the changes have no effect yet",
		Mend: run("systemctl --user daemon-reload"),
	}}
}
