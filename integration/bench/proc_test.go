package main

import (
	"os/exec"
	"testing"
)

func TestContenderWhoseProgramsEnd(t *testing.T) {
	cmd := exec.Command("sh", "-c", "while :; do true & wait; done")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	}()
	for range 500 {
		if _, err := workOf(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
		if _, err := memoryOf(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
	}
}

func TestContenderThatHasEnded(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := workOf(cmd.Process.Pid); err == nil {
		t.Error("the work of a process that has ended is known")
	}
	if _, err := memoryOf(cmd.Process.Pid); err == nil {
		t.Error("the memory of a process that has ended is known")
	}
}
