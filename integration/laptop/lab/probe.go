package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// From linux/personality.h; to the kernel it stands for the present one.
	presentPersonality = 0xffffffff
	personalityLinux32 = 0x0008
	// From linux/sched.h.
	schedRR = 2
	// setuidProgram is a copy of this program that runs as root.
	setuidProgram = "lab-setuid"
)

// probe tries operations that an ordinary user may do, most of which are
// forbidden to a sandboxed service. It prints "done" for each attempt, or why
// it failed. Its files and setuidProgram are in a directory.
func probe(dir string) error {
	for _, attempt := range []struct {
		what string
		try  func() error
	}{
		{"unix socket", func() error { return socket(unix.AF_UNIX, unix.SOCK_STREAM, 0) }},
		{"internet socket", func() error { return socket(unix.AF_INET, unix.SOCK_STREAM, 0) }},
		{"netlink socket", func() error { return socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE) }},
		{"user namespace", userNamespace},
		{"writable code", func() error { return mapped(unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, nil) }},
		{"written code", func() error {
			return mapped(unix.PROT_READ|unix.PROT_WRITE, func(page []byte) error {
				return unix.Mprotect(page, unix.PROT_READ|unix.PROT_EXEC)
			})
		}},
		{"personality", personality},
		{"realtime", realtime},
		{"set-user-id bit", func() error { return changed(dir, func(file string) error { return unix.Chmod(file, 0o4755) }) }},
		{"setuid program", func() error { return becomeRoot(filepath.Join(dir, setuidProgram)) }},
		{"foreign code", func() error { return runForeign(filepath.Join(dir, "foreign")) }},
		{"memory of processes", readMemory},
		{"debugger", debug},
		{"owner of a file", func() error {
			return changed(dir, func(file string) error { return unix.Chown(file, os.Getuid(), os.Getgid()) })
		}},
		{"priority", func() error { return unix.Setpriority(unix.PRIO_PROCESS, 0, 1) }},
		{"io_uring", ioUring},
		{"keyring", func() error {
			_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_PROCESS_KEYRING, true)
			return err
		}},
		{"locked memory", func() error { return mapped(unix.PROT_READ, unix.Mlock) }},
		{"file for others", func() error { return readableForOthers(filepath.Join(dir, "file for others")) }},
	} {
		outcome := "done"
		if err := attempt.try(); err != nil {
			outcome = err.Error()
		}
		fmt.Printf("%s: %s\n", attempt.what, outcome)
	}
	return nil
}

func socket(family, kind, protocol int) error {
	fd, err := unix.Socket(family, kind, protocol)
	if err == nil {
		err = unix.Close(fd)
	}
	return err
}

func userNamespace() error {
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
	return cmd.Run()
}

func mapped(protection int, then func([]byte) error) error {
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), protection, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err == nil && then != nil {
		err = then(page)
	}
	return err
}

// changed changes a new file in some way.
func changed(dir string, change func(file string) error) error {
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	return change(file)
}

func personality() error {
	old, _, errno := unix.Syscall(unix.SYS_PERSONALITY, presentPersonality, 0, 0)
	if errno == 0 {
		_, _, errno = unix.Syscall(unix.SYS_PERSONALITY, personalityLinux32, 0, 0)
	}
	if errno != 0 {
		return errno
	}
	_, _, _ = unix.Syscall(unix.SYS_PERSONALITY, old, 0, 0)
	return nil
}

func realtime() error {
	priority := int32(1)
	_, _, errno := unix.Syscall(unix.SYS_SCHED_SETSCHEDULER, 0, schedRR, uintptr(unsafe.Pointer(&priority)))
	if errno != 0 {
		return errno
	}
	return nil
}

func ioUring() error {
	var parameters [120]byte // struct io_uring_params of linux/io_uring.h
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&parameters)), 0)
	if errno != 0 {
		return errno
	}
	return unix.Close(int(fd))
}

func becomeRoot(program string) error {
	out, err := exec.Command(program, "whoami").Output()
	if err == nil && string(out) != "0\n" {
		err = fmt.Errorf("it ran as %s", bytes.TrimSpace(out))
	}
	return err
}

// readMemory reads a process's memory as a debugger does. It reads its own,
// which every process may.
func readMemory() error {
	from, to := byte(42), byte(0)
	local := []unix.Iovec{{Base: &to, Len: 1}}
	remote := []unix.RemoteIovec{{Base: uintptr(unsafe.Pointer(&from)), Len: 1}}
	_, err := unix.ProcessVMReadv(os.Getpid(), local, remote, 0)
	runtime.KeepAlive(&from)
	return err
}

// debug attaches to a process as a debugger does.
func debug() error {
	child := exec.Command("/bin/sleep", "infinity")
	if err := child.Start(); err != nil {
		return err
	}
	err := unix.PtraceSeize(child.Process.Pid)
	if killed := child.Process.Kill(); killed != nil {
		return killed
	}
	_ = child.Wait() // killed
	return err
}

func readableForOthers(file string) error {
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err == nil && info.Mode()&0o044 == 0 {
		err = fmt.Errorf("its mode is %v", info.Mode())
	}
	return err
}

// runForeign makes and runs a program of another architecture that the kernel
// can run, i386. The program only exits.
func runForeign(file string) error {
	const base, headers = 0x08048000, 52 + 32
	code := []byte{
		0xb8, 1, 0, 0, 0, // mov $1 (exit), %eax
		0x31, 0xdb, // xor %ebx, %ebx
		0xcd, 0x80, // int $0x80
	}
	size := uint32(headers + len(code))
	var program bytes.Buffer
	for _, part := range []any{
		elf.Header32{
			Ident:   [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS32), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
			Type:    uint16(elf.ET_EXEC),
			Machine: uint16(elf.EM_386),
			Version: uint32(elf.EV_CURRENT),
			Entry:   base + headers,
			Phoff:   52, Ehsize: 52, Phentsize: 32, Phnum: 1,
		},
		elf.Prog32{
			Type: uint32(elf.PT_LOAD), Vaddr: base, Paddr: base, Filesz: size, Memsz: size,
			Flags: uint32(elf.PF_R | elf.PF_X), Align: 0x1000,
		},
		code,
	} {
		if err := binary.Write(&program, binary.LittleEndian, part); err != nil {
			return err
		}
	}
	if err := os.WriteFile(file, program.Bytes(), 0o700); err != nil {
		return err
	}
	return exec.Command(file).Run()
}
