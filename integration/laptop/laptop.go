// Package laptop boots a complete Debian in a virtual machine with a lid, Wi-Fi and sleep,
// and plays scenes in it.
//
// The machine is QEMU without hardware virtualisation, so that it runs wherever QEMU does.
// Its lid is an input device that logind opens like any other (recipe/guest, lab), its
// firmware describes its charger and its battery (recipe/power.asl), the kernel simulates
// its Wi-Fi with real access points, and it really sleeps (ACPI S3). A laptop of an older
// model also hibernates (S4). It cannot reach the host's network and files, and what it
// writes is lost with it.
package laptop

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/integration/bound"
	"github.com/nm-session-bridge/nm-session-bridge/integration/needs"
)

const (
	// A kernel that panics reboots, which ends the machine. Without norandmaps, QEMU before
	// 8.0 would translate a library again for each process, since it lies elsewhere.
	kernelOptions = "console=ttyS0 quiet panic=-1 net.ifnames=0 mitigations=off nokaslr norandmaps" +
		" random.trust_cpu=on tsc=reliable no_timer_check"
	// clock makes the laptop's time pass with its work: an instruction takes 2² ns, which is
	// about the speed on a quiet host, and only a laptop with nothing to do waits for the
	// host. Otherwise timers, such as logind's before a sleep, would end too early on a busy
	// host. https://www.qemu.org/docs/master/devel/tcg-icount.html
	clock = "shift=2"
	// exitDevice is the device to which lab end writes 64 plus the status. QEMU
	// exits with twice that number plus one.
	exitDevice = "isa-debug-exit,iobase=0xf4,iosize=0x04"
	exitStatus = 2*64 + 1
	// swapOption tells lab the disk to hibernate to. The kernel passes on an unknown
	// option as an environment variable.
	swapOption = "LAPTOP_SWAP=vdb"
	// swapSize is the size of the disk to hibernate to, which is a file with holes. It
	// has room for all memory.
	swapSize = 1 << 30
)

// Laptop is a machine with a Debian on its disk.
type Laptop struct {
	Image    Image
	Programs Programs
	// Hibernates gives it a second disk to hibernate to, and what that needs.
	Hibernates bool
	// Nice is added to the niceness of its process: a laptop with less to do can let another
	// go first.
	Nice int
}

// Result says how the run of a laptop ended.
type Result struct {
	// Status is the exit status of the scenes.
	Status int
	// Boot is the time until the first output of the scenes, Total the time until
	// the end.
	Boot, Total time.Duration
}

// Run boots a laptop and runs the scenes with the given arguments, which hold no
// spaces. Their output goes to out as it comes, each line after the time since
// the start. The machine ends with the scenes, the context or the calling
// process.
func (l Laptop) Run(ctx context.Context, arguments []string, out io.Writer) (Result, error) {
	if err := needs.Check(needs.Laptop()); err != nil {
		return Result{}, err
	}
	dir, err := os.MkdirTemp("", "laptop-")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(dir)
	start, err := initrd(l.Image, l.Programs, arguments)
	if err != nil {
		return Result{}, fmt.Errorf("cannot prepare the laptop: %w", err)
	}
	initrdPath, console := filepath.Join(dir, "initrd"), filepath.Join(dir, "console")
	if err := os.WriteFile(initrdPath, start, 0o600); err != nil {
		return Result{}, err
	}
	hardware, err := l.hardware(dir)
	if err != nil {
		return Result{}, fmt.Errorf("cannot prepare the laptop: %w", err)
	}
	command := []string{"-n", strconv.Itoa(l.Nice), "qemu-system-x86_64"}
	qemu := exec.CommandContext(ctx, "nice", slices.Concat(command, hardware, []string{
		"-accel", "tcg,tb-size=256", "-cpu", "Nehalem", "-m", "768",
		// With a second processor the kernel changes code that the other runs. QEMU before
		// 8.1 may then go on with the code of the time between, and the kernel panics.
		"-smp", "1",
		"-nodefaults", "-no-user-config", "-display", "none", "-nic", "none",
		"-action", "reboot=shutdown,shutdown=pause", // whose reasons the monitor knows
		"-kernel", l.Image.kernel(), "-initrd", initrdPath,
		"-device", "virtio-rng-pci", "-device", exitDevice,
		"-serial", "file:" + console, "-chardev", "stdio,id=out,signal=off", "-serial", "chardev:out",
		"-chardev", "socket,id=monitor,fd=3", "-mon", "chardev=monitor,mode=control",
	})...)
	qemu.Env = append(os.Environ(), "TMPDIR="+dir) // for what the laptop writes on its disk
	result, err := runMachine(qemu, out)
	if err != nil {
		last, _ := os.ReadFile(console) // more words, if there are any
		return result, fmt.Errorf("%w; the console says %q", err, tail(last))
	}
	return result, nil
}

// hardware returns QEMU's options for the laptop's hardware. dir is for the laptop's
// files.
func (l Laptop) hardware(dir string) ([]string, error) {
	disk := []string{
		"-acpitable", "file=" + l.Image.power(),
		"-drive", "file=" + l.Image.disk() + ",format=raw,if=virtio,snapshot=on,cache=unsafe",
	}
	if !l.Hibernates {
		return append(disk, "-machine", "q35", "-append", kernelOptions,
			"-icount", clock, "-rtc", "clock=vm"), nil // or its clock would jump ahead when it wakes up
	}
	swap := filepath.Join(dir, "swap")
	if err := os.WriteFile(swap, nil, 0o600); err != nil {
		return nil, err
	}
	if err := os.Truncate(swap, swapSize); err != nil {
		return nil, err
	}
	// A board newer than "pc" does not sleep a second time: SeaBIOS leaves its power
	// management switched off. Nor does time that passes with the laptop's work pass while it
	// sleeps, but its clock must wake it to hibernate.
	return append(disk, "-machine", "pc", "-append", kernelOptions+" "+swapOption,
		"-drive", "file="+swap+",format=raw,if=virtio,cache=unsafe"), nil
}

// runMachine runs QEMU, keeps its laptop going, and passes on the scenes' output.
func runMachine(qemu *exec.Cmd, out io.Writer) (Result, error) {
	monitor, theirs, err := monitorPipe()
	if err != nil {
		return Result{}, err
	}
	qemu.ExtraFiles = []*os.File{theirs}
	read, write := io.Pipe()
	var errorOutput bytes.Buffer
	qemu.Stdout, qemu.Stderr = write, &errorOutput

	began := time.Now()
	first := make(chan time.Duration, 1)
	go func() {
		first <- timestamp(out, read, began)
	}()
	watched := make(chan error, 1)
	go func() {
		watched <- keep(monitor)
	}()
	err = bound.Run(qemu)
	theirs.Close()
	monitor.Close()
	write.Close()
	result := Result{Boot: <-first, Total: time.Since(began)}
	watchErr := <-watched

	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended) && ended.ExitCode() >= exitStatus:
		result.Status = (ended.ExitCode() - exitStatus) >> 1
		return result, watchErr
	case err == nil:
		err = errors.New("it ended before the scenes did")
	}
	return result, fmt.Errorf("cannot run the laptop: %w: %s", err, errorOutput.Bytes())
}

// timestamp passes lines on, each after the time since the start. It returns the
// time of the first line.
func timestamp(to io.Writer, from io.Reader, began time.Time) (first time.Duration) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		since := time.Since(began)
		if first == 0 {
			first = since
		}
		fmt.Fprintf(to, "%8.3f %s\n", since.Seconds(), strings.TrimRight(lines.Text(), "\r"))
	}
	_, _ = io.Copy(io.Discard, from) // so that the laptop does not block
	return first
}

// tail returns the last lines of a text.
func tail(text []byte) string {
	const size = 2000
	return string(text[max(0, len(text)-size):])
}
