package main

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestTheDemoTakesNoArguments(t *testing.T) {
	for argument, want := range map[string]int{"--help": 0, "-h": 0, "--fast": 2} {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		out, err := exec.CommandContext(ctx, "../demo", argument).CombinedOutput()
		status := 0
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			status = exit.ExitCode()
		}
		if status != want || !strings.HasPrefix(string(out), "usage: ") {
			t.Errorf("%s: %v instead of exit status %d, it says\n%s", argument, err, want, out)
		}
	}
}
