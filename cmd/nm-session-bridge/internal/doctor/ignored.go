package doctor

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/suggest"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// ignored is a line of a unit file that systemd ignores, because it does not know the key or, if
// that is "", the section.
type ignored struct{ path, line, section, key string }

// complaint matches what systemd-analyze says about such a line: in these words since systemd
// 254, with "key name" before that, and with "lvalue" before 246.
func complaint() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^(/.+):(\d+): Unknown (?:(?:key(?: name)?|lvalue) '([^'\n]*)' in section '?\[?([^]'\n]+)\]?'?, ignoring|section '([^'\n]+)'\. Ignoring)`)
}

// askIgnored asks systemd-analyze which lines of the files of the user's units systemd ignores.
// It returns none if that fails.
func (u user) askIgnored(ctx context.Context) []ignored {
	var paths []string
	for _, name := range u.own {
		if path := u.unit(name).text("FragmentPath"); path != "" && !isGenerated(path) && u.unit(name).load() != "masked" {
			paths = append(paths, path)
		}
	}
	if len(paths) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "systemd-analyze", append([]string{"--user", "--man=no", "verify"}, paths...)...)
	cmd.Env = append(os.Environ(), "SYSTEMD_LOG_TARGET=console", "SYSTEMD_LOG_LEVEL=warning", "SYSTEMD_LOG_COLOR=0", "SYSTEMD_LOG_LOCATION=0", "SYSTEMD_LOG_TIME=0", "SYSTEMD_LOG_TID=0")
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	_ = cmd.Run() // fails on other mistakes as well
	return ignoredIn(said.String())
}

func ignoredIn(said string) []ignored {
	var lines []ignored
	for _, m := range complaint().FindAllStringSubmatch(said, -1) {
		path, err := filepath.EvalSymlinks(m[1])
		if err != nil {
			continue
		}
		one := ignored{path, m[2], m[4] + m[5], m[3]}
		if !slices.Contains(lines, one) {
			lines = append(lines, one)
		}
	}
	return lines
}

// ignoredLines finds misspelt keys and sections in the unit's files. A key that only a newer
// systemd knows is no mistake.
func (c unitCheck) ignoredLines() []Finding {
	var found []Finding
	for _, f := range c.files {
		var what, mends []string
		where, then := f.path, []string(nil)
		if source := c.change.place.source; source != "" {
			where = source
		}
		for _, line := range c.ignored {
			if line.path != f.path || !isOwnPath(f.path) || c.isMadeUpFor(f, line) {
				continue
			}
			section, key := line.meant()
			switch {
			case section == "" && key == "":
				continue
			case line.key == "":
				what = append(what, "["+line.section+"]")
				mends = append(mends, "write ["+section+"] instead of ["+line.section+"] in line "+line.line)
			case section == line.section:
				what = append(what, line.key+"= under ["+line.section+"]")
				mends = append(mends, "write "+key+"= instead of "+line.key+"= in line "+line.line)
			default:
				what = append(what, line.key+"= under ["+line.section+"]")
				mends = append(mends, "write "+key+"= under ["+section+"] instead of line "+line.line)
			}
			if section == "Install" && c.load() == "loaded" && !isTemplate(c.name) {
				then = []string{"systemctl --user enable " + systemdctl.Operands(c.name)}
			}
		}
		if len(what) > 0 {
			found = append(found, Finding{
				What: fmt.Sprintf("%s: systemd ignores %s", c.name, listed(what)),
				Why:  "it does not know the name there, so what follows it has no effect",
				Mend: byEdit("in "+where+", "+listed(mends), then...),
			})
		}
	}
	return found
}

// isMadeUpFor reports whether other lines say the same as an ignored one, or are about to.
func (c unitCheck) isMadeUpFor(f file, line ignored) bool {
	isMadeUp, isSaid := true, false
	for _, s := range f.settings {
		if s.section != line.section || line.key != "" && s.key != line.key {
			continue
		}
		isSaid = true
		for _, name := range s.names {
			isMadeUp = isMadeUp && c.isSaid(s.key, name)
		}
	}
	return isSaid && isMadeUp
}

// isSaid reports whether the unit names another one in a setting, or will, or whether there is a
// finding about that.
func (c unitCheck) isSaid(key, name string) bool {
	similar, isKnown := suggest.Name(key, namingKeys())
	switch {
	case !isKnown:
		return false
	case slices.Contains(installKeys(), similar):
		by := slices.Concat(c.files.installs(), c.wanters(c.name), c.user.starters(c.unit))
		return slices.Contains(by, name) || c.reported[name] || c.reported[c.meant(name)]
	}
	return slices.Contains(c.texts(similar), name) || c.change.has("Unit", similar+"="+name)
}

// meant returns the section and the key that an ignored line was meant to have, or nothing if
// that cannot be guessed.
func (i ignored) meant() (section, key string) {
	known := settingsOf()
	if i.key == "" {
		var sections []string
		for section := range known {
			sections = append(sections, section)
		}
		section, _ := suggest.Name(i.section, sections)
		if section == i.section {
			return "", "" // of a unit of another kind
		}
		return section, ""
	}
	if slices.Contains(known[i.section], i.key) {
		return "", "" // this systemd is older than the key
	}
	if key, similar := suggest.Name(i.key, known[i.section]); similar {
		return i.section, key
	}
	for _, section := range []string{"Unit", "Install", "Service"} {
		if key, similar := suggest.Name(i.key, known[section]); similar {
			return section, key
		}
	}
	return "", ""
}

// settingsOf returns the settings by section that decide when and what a unit runs, and others
// that look similar (systemd.unit(5), systemd.service(5), systemd.timer(5), systemd.path(5)).
func settingsOf() map[string][]string {
	return map[string][]string{
		"Unit": append(dependencyKeys(),
			"Description", "Documentation", "OnSuccess", "OnFailure", "PropagatesStopTo", "StopWhenUnneeded", "RefuseManualStart", "RefuseManualStop",
			"DefaultDependencies", "StartLimitIntervalSec", "StartLimitBurst"),
		"Install": append(installKeys(), "Alias", "Also", "DefaultInstance"),
		"Service": {
			"Type", "ExitType", "ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecReloadPost", "ExecStop", "ExecStopPost",
			"Restart", "RestartSec", "RestartMode", "RestartSteps", "RestartMaxDelaySec", "RemainAfterExit",
			"TimeoutSec", "TimeoutStartSec", "TimeoutStopSec", "Environment", "EnvironmentFile", "PassEnvironment", "UnsetEnvironment", "WorkingDirectory",
		},
		"Timer": {
			"OnCalendar", "OnActiveSec", "OnBootSec", "OnStartupSec", "OnUnitActiveSec", "OnUnitInactiveSec", "AccuracySec", "Persistent",
			"RandomizedDelaySec", "RandomizedOffsetSec", "FixedRandomDelay", "DeferReactivation", "RemainAfterElapse", "Unit",
		},
		"Path": {"PathExists", "PathExistsGlob", "PathChanged", "PathModified", "DirectoryNotEmpty", "MakeDirectory", "Unit"},
	}
}
