package daemon

import (
	"slices"
	"testing"
)

func TestWhileTheManagerDoesNotReadNewerValuesReplaceOlderOnes(t *testing.T) {
	var sent []string
	begun, goOn := make(chan struct{}, 1), make(chan struct{})
	n := newNotifier(func(message string) {
		begun <- struct{}{}
		<-goOn
		sent = append(sent, message)
	})
	n.notify("STATUS=starting")
	<-begun
	n.notify("READY=1\nSTATUS=lid open")
	n.notify("WATCHDOG=1")
	n.notify("STATUS=lid closed, power=ac")
	close(goOn)
	n.end("STOPPING=1")
	if want := []string{"STATUS=starting", "READY=1\nSTATUS=lid closed, power=ac\nSTOPPING=1\nWATCHDOG=1"}; !slices.Equal(sent, want) {
		t.Errorf("sent %q", sent)
	}
}

func TestTheEndDoesNotWaitForAManagerThatIsStopped(*testing.T) {
	never := make(chan struct{})
	n := newNotifier(func(string) { <-never })
	n.notify("READY=1")
	n.end("STOPPING=1") // would wait for ever
}
