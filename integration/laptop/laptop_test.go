package laptop_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/laptop"
	"github.com/nm-session-bridge/nm-session-bridge/integration/needs"
	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

const (
	// programsVariable names a directory with programs that the script build made
	// beforehand.
	programsVariable = "LAPTOP_PROGRAMS"
	// scenesVariable holds a regular expression that chooses scenes, for people
	// who work on one.
	scenesVariable = "LAPTOP_SCENES"
	// allVariable makes the laptops of all releases play all scenes. By default
	// only the first plays them all. The others play those whose outcome depends
	// on the versions of services (scenes/release_test.go).
	allVariable = "LAPTOP_ALL"
	// hibernation and shutdown are scenes that need their own laptops.
	hibernation = "^TestHibernation$"
	shutdown    = "^TestPowerOffAndReboot$"
	// margin is the part of a deadline that is left for cleaning up.
	margin = 10 * time.Second
)

// TestLaptop plays the scenes in a laptop of each release. Their output goes to
// the standard output as it comes.
func TestLaptop(t *testing.T) {
	first, all := releases()[0], os.Getenv(allVariable) != ""
	playEach(t, func(ctx context.Context, t *testing.T, release string, programs laptop.Programs) {
		machine := laptop.Laptop{Programs: programs}
		if release != first { // which has the most to do
			machine.Nice = 5
		}
		all := all || release == first
		play(ctx, t, release, all, machine,
			"-test.run="+os.Getenv(scenesVariable), "-test.skip="+hibernation+"|"+shutdown, fmt.Sprint("-test.short=", !all))
	})
}

// TestHibernation plays a scene in a laptop of each release that can hibernate.
func TestHibernation(t *testing.T) {
	playAlone(t, hibernation, laptop.Laptop{Hibernates: true})
}

// TestPowerOffAndReboot plays a scene in a laptop of each release that is shut down.
func TestPowerOffAndReboot(t *testing.T) {
	playAlone(t, shutdown, laptop.Laptop{})
}

// playAlone plays a scene, which takes some minutes, if all are wanted.
func playAlone(t *testing.T, scene string, machine laptop.Laptop) {
	t.Helper()
	if os.Getenv(allVariable) == "" {
		t.Skip("played only when all scenes are wanted: " + allVariable + "=yes")
	}
	playEach(t, func(ctx context.Context, t *testing.T, release string, programs laptop.Programs) {
		machine := machine
		machine.Programs = programs
		play(ctx, t, release, true, machine, "-test.run="+scene)
	})
}

// playEach plays something in a laptop of each release at the same time.
func playEach(t *testing.T, play func(context.Context, *testing.T, string, laptop.Programs)) {
	t.Helper()
	needRoot(t)
	ctx := bounded(t)
	programs := provide(t)
	var laptops sync.WaitGroup
	for _, release := range releases() {
		laptops.Add(1)
		go func() {
			defer laptops.Done()
			t.Run(release, func(t *testing.T) { play(ctx, t, release, programs) })
		}()
	}
	laptops.Wait()
}

// releases returns the releases of Debian that laptops run, first the one whose laptop
// plays the most scenes.
func releases() []string {
	return []string{
		"trixie",   // systemd 257, NetworkManager 1.52
		"bookworm", // systemd 252, NetworkManager 1.42
		"forky",    // testing: systemd 262, NetworkManager 1.58, dbus-broker 37
	}
}

// needRoot skips the test if the user is not root, and fails it if tools are
// missing.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		sandbox.TellLeftOut("what a whole laptop does, in integration/laptop/")
		t.Skip("the laptops are made by root")
	}
	if err := needs.Check(needs.Laptop()); err != nil {
		t.Fatal(err)
	}
}

// play plays scenes in a laptop without an image yet.
func play(ctx context.Context, t *testing.T, release string, desktop bool, machine laptop.Laptop, arguments ...string) {
	image, err := laptop.OpenImage(ctx, release, desktop, os.Stdout)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	machine.Image = image
	fmt.Printf("laptop %s: it boots\n", release)
	result, err := machine.Run(ctx, append(arguments, "-test.v"), output(release))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("laptop %s: booted in %.1f s, ended after %.1f s with status %d\n",
		release, result.Boot.Seconds(), result.Total.Seconds(), result.Status)
	if result.Status != 0 {
		t.Error("scenes failed; see what they printed")
	}
}

// output prints the lines of a laptop with this name.
type output string

func (o output) Write(line []byte) (int, error) {
	_, err := fmt.Printf("%-8s %s", string(o), line)
	return len(line), err
}

// bounded returns a context that ends early enough to clean up, and on an
// interrupt.
func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	t.Cleanup(stop)
	if deadline, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		t.Cleanup(cancel)
	}
	return ctx
}

// provide returns the programs of a laptop, and builds them if necessary.
func provide(t *testing.T) laptop.Programs {
	t.Helper()
	dir := os.Getenv(programsVariable)
	if dir == "" {
		dir = t.TempDir()
		if out, err := exec.Command("./build", dir).CombinedOutput(); err != nil {
			t.Fatalf("build: %v: %s", err, out)
		}
	}
	return laptop.Programs{
		Lab:          filepath.Join(dir, "lab"),
		Scenes:       filepath.Join(dir, "scenes"),
		Bridge:       filepath.Join(dir, "nm-session-bridge"),
		Package:      filepath.Join(dir, "older.deb"),
		NewerPackage: filepath.Join(dir, "newer.deb"),
	}
}
