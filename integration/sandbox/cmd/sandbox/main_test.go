package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// playVariable makes the test binary act as the program.
const playVariable = "SANDBOX_TEST_PLAY"

func TestMain(m *testing.M) {
	if os.Getenv(playVariable) != "" {
		os.Exit(run(os.Args[1:], os.Stderr))
	}
	if os.Geteuid() != 0 {
		sandbox.TellLeftOut("the tests of what a sandbox leaves behind, in integration/sandbox/cmd/sandbox")
	}
	os.Exit(m.Run())
}

func program(args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), playVariable+"=1")
	return cmd
}

func TestStatus(t *testing.T) {
	needsRoot := os.Geteuid() != 0
	for _, test := range []struct {
		args []string
		want int
		root bool
	}{
		{[]string{"-help"}, 0, false},
		{[]string{"-check", "maybe"}, 2, false},
		{[]string{"-login1", "251"}, 2, false},
		{[]string{"-no-such-flag"}, 2, false},
		{[]string{"-no-nm", "--", "true"}, 0, true},
		{[]string{"-no-nm", "--", "sh", "-c", "exit 7"}, 7, true},
		{[]string{"-no-nm", "--", "no-such-command"}, 1, true},
	} {
		if test.root && needsRoot {
			continue
		}
		cmd := program(test.args...)
		out, err := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != test.want {
			t.Errorf("%q: status %d (%v), want %d: %s", test.args, got, err, test.want, out)
		}
	}
}

func TestTheShellFindsWhatIsInstalledInIt(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("LEFT OUT: ", sandbox.ErrNotRoot)
	}
	cmd := program("-no-nm")
	cmd.Stdin = strings.NewReader("mkdir -p ~/.local/bin\ninstall /bin/true ~/.local/bin/just-installed\njust-installed\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestTheUserPullsAndPlugsTheNetwork(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("LEFT OUT: ", sandbox.ErrNotRoot)
	}
	cmd := program()
	cmd.Stdin = strings.NewReader("set -e\nnmcli device disconnect eth0\nnmcli device connect eth0\n" +
		"nmcli networking off\nnmcli networking on\ngetent ahosts $(hostname)\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	for _, want := range []string{"try: nmcli device disconnect eth0", "/proc/self/exe --help", "127.0.1.1"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("it does not say %q: %s", want, out)
		}
	}
}

func TestDescription(t *testing.T) {
	for _, test := range []struct {
		args       []string
		says, hint string
	}{
		{nil, "NetworkManager on eth0, check answers full, a stand-in for logind 257", "try: nmcli device disconnect eth0, then nmcli device connect eth0; here/sandbox --help lists other starts"},
		{[]string{"-no-nm", "-login1=none"}, "no NetworkManager, no logind", "here/sandbox --help lists other starts"},
		{[]string{"-unplugged", "-login1=262"}, "NetworkManager on eth0, check answers full, a stand-in for logind 262", "here/sandbox --help lists other starts"},
	} {
		_, options, _, err := parse(test.args, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if says := describe(options); !strings.HasSuffix(says, "system bus, "+test.says) {
			t.Errorf("%q: it says %q, want %q", test.args, says, test.says)
		}
		if hint := hint(options, "here/sandbox"); hint != test.hint {
			t.Errorf("%q: the hint is %q, want %q", test.args, hint, test.hint)
		}
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("LEFT OUT: ", sandbox.ErrNotRoot)
	}
	for name, end := range map[string]func(*exec.Cmd) error{
		"SIGKILL": func(cmd *exec.Cmd) error { return cmd.Process.Kill() },
		"SIGTERM": func(cmd *exec.Cmd) error { return cmd.Process.Signal(syscall.SIGTERM) },
		// The signal goes to the whole group, as with Ctrl-C on a terminal.
		"SIGINT": func(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) },
	} {
		t.Run(name, func(t *testing.T) {
			before := observe(t)
			// The argument distinguishes this sandbox's processes from others on the machine.
			marker := fmt.Sprintf("%d.%s", os.Getpid(), name)
			cmd := program("--", "sh", "-c", "echo ready; sleep 1d; : "+marker)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(stdout).ReadString('\n')
			if err != nil {
				t.Fatal(err, errors.Join(cmd.Wait()), stderr.String())
			}
			if line != "ready\n" || len(cgroups(t, cmd)) != 1 || len(processes(t, marker)) == 0 {
				t.Errorf("not up: %q, cgroups %v, processes %v", line, cgroups(t, cmd), processes(t, marker))
			}
			if err := end(cmd); err != nil {
				t.Error(err)
			}
			// This returns when no process of the sandbox, not even its janitor, has our pipes any
			// more.
			if err := cmd.Wait(); err == nil {
				t.Error("a killed sandbox reports success")
			}
			if left := append(cgroups(t, cmd), processes(t, marker)...); len(left) > 0 {
				t.Errorf("left: %q; %s", left, stderr.String())
			}
			if after := observe(t); !slices.Equal(before, after) {
				t.Errorf("before:\n%s\nafter:\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
			}
		})
	}
}

// cgroups lists the cgroups of a sandbox. They hold all its processes except the outer one.
func cgroups(t *testing.T, cmd *exec.Cmd) []string {
	t.Helper()
	var found []string
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		groups, err := filepath.Glob(fmt.Sprintf("%s/*sandbox-%d-*", root, cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, groups...)
	}
	return found
}

// processes lists the processes with the marker in their arguments.
func processes(t *testing.T, marker string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		// Other processes on the machine come and go meanwhile.
		if arguments, err := os.ReadFile(file); err == nil && bytes.Contains(arguments, []byte(marker)) {
			found = append(found, file)
		}
	}
	return found
}

// observe lists the machine's mounts, network namespaces, homes and runtime files.
func observe(t *testing.T) []string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	found := strings.Split(string(mounts), "\n")
	for _, pattern := range []string{"/run/*", "/run/netns/*", "/run/systemd/*", "/run/user/*", "/home/*", "/var/log/journal/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, files...)
	}
	return found
}
