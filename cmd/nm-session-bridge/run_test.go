package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/daemon"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

func TestTheBridgeRunsWithoutTheOtherCommands(t *testing.T) {
	for line, switches := range map[string][]string{
		"":                        nil,
		"run":                     nil,
		"run --switches=lid":      {"lid"},
		"--switches lid,internet": {"lid", "internet"},
	} {
		options, isRun := parseRun(strings.Fields(line))
		if !isRun || !slices.Equal(options.switches, switches) || options.policy.LimitedGrace != 5*time.Second {
			t.Errorf("%q: %v, %v", line, isRun, options)
		}
	}
	for _, line := range []string{"status", "run now", "run --help", "-h", "--version", "run -switches=lid", "run --gone-grace=x", "run --online-when"} {
		if _, isRun := parseRun(strings.Fields(line)); isRun {
			t.Errorf("%q runs", line)
		}
	}
}

func TestTheServiceStartsTheProgramThatReplacedThisOne(t *testing.T) {
	files, err := systemdctl.UnitFiles("")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, setting := range []string{"RestartForceExitStatus", "SuccessExitStatus"} {
			line := fmt.Sprintf("\n%s=%d\n", setting, daemon.Outdated)
			if file.Path == systemdctl.ServiceName && !strings.Contains(string(file.Content), line) {
				t.Errorf("%s has no line %q", file.Path, line)
			}
		}
	}
}
