package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
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
		Why:  "services get the manager's environment, not the session's: their programs find neither the screen nor the tools that only the session knows",
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
	names, _ := d.Readdirnames(-1) // a directory that cannot be read has no programs
	return slices.ContainsFunc(names, func(name string) bool { return name != "nm-session-bridge" })
}

// missingPath returns the directories of $PATH in the user's home that the manager lacks,
// if the user has a service that may need them.
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
