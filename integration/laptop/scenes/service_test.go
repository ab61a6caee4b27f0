package scenes

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestServiceIsSandboxed(t *testing.T) {
	onOneLaptop(t)
	s := beginOpen(t)
	s.install()
	properties := s.systemctl("show", bridgeUnit)
	for _, want := range []string{
		"NoNewPrivileges=yes", "RestrictAddressFamilies=AF_UNIX", "RestrictNamespaces=yes",
		"MemoryDenyWriteExecute=yes", "LockPersonality=yes", "RestrictRealtime=yes", "RestrictSUIDSGID=yes",
		"SystemCallArchitectures=native", "SystemCallErrorNumber=1", "UMask=0077", "PrivateUsers=no", "Result=success",
	} {
		if !strings.Contains("\n"+properties+"\n", "\n"+want+"\n") {
			t.Errorf("the service has not %s", want)
		}
	}
	pid := s.systemctl("show", "--value", "--property=MainPID", bridgeUnit)
	status, err := os.ReadFile("/proc/" + pid + "/status")
	s.must(err)
	for _, want := range []string{"NoNewPrivs:\t1\n", "Seccomp:\t2\n", "CapEff:\t0000000000000000\n"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("the process has not %q", want)
		}
	}
	s.systemctl("reload", bridgeUnit)
	s.oneLock() // a descriptor can still be received
	// This is what the user manager says about the units as it reads them.
	const warning = "4"
	if said := s.root("journalctl --quiet --output=cat --priority=" + warning + " --since=" + s.since + " _UID=1000"); said != "" {
		t.Errorf("there are warnings: %s", said)
	}
}

// finding is what systemd-analyze says about one thing that a service could be
// denied.
type finding struct {
	Name string
	Set  bool
}

// TestTheSandboxIsRecognised asks systemd how it understands the directives.
func TestTheSandboxIsRecognised(t *testing.T) {
	onOneLaptop(t)
	s := beginOpen(t)
	s.install()
	const analyze = "systemd-analyze --user security --no-pager "
	var findings []finding
	s.must(json.Unmarshal([]byte(s.user(analyze+"--json=short "+bridgeUnit)), &findings))
	for _, want := range []string{
		"NoNewPrivileges=", "MemoryDenyWriteExecute=", "LockPersonality=", "RestrictRealtime=", "RestrictSUIDSGID=",
		"SystemCallArchitectures=", "UMask=",
		"SystemCallFilter=~@clock", "SystemCallFilter=~@cpu-emulation", "SystemCallFilter=~@debug",
		"SystemCallFilter=~@module", "SystemCallFilter=~@mount", "SystemCallFilter=~@obsolete",
		"SystemCallFilter=~@privileged", "SystemCallFilter=~@raw-io", "SystemCallFilter=~@reboot",
		"SystemCallFilter=~@resources", "SystemCallFilter=~@swap",
		"RestrictNamespaces=~cgroup", "RestrictNamespaces=~ipc", "RestrictNamespaces=~mnt", "RestrictNamespaces=~net",
		"RestrictNamespaces=~pid", "RestrictNamespaces=~user", "RestrictNamespaces=~uts",
		"RestrictAddressFamilies=~AF_(INET|INET6)", "RestrictAddressFamilies=~AF_NETLINK",
		"RestrictAddressFamilies=~AF_PACKET", "RestrictAddressFamilies=~…",
	} {
		if !slices.Contains(findings, finding{want, true}) {
			t.Errorf("systemd-analyze does not find %s", want)
		}
	}
	lines := strings.Split(s.user(analyze+bridgeUnit), "\n")
	t.Log(lines[len(lines)-1])
}

// TestWhatTheSandboxForbidsFails runs a probe with the directives of the running
// service and, for comparison, without them.
func TestWhatTheSandboxForbidsFails(t *testing.T) {
	onOneLaptop(t)
	s := beginOpen(t)
	// Without this, no user may do what RestrictRealtime= forbids anyway.
	s.root("prlimit --rtprio=1 --pid=$(systemctl show --value --property=MainPID " + manager + ")")
	s.install()

	free := s.probe("free", "[Service]\n")
	for what, outcome := range free {
		if outcome != "done" {
			t.Errorf("%s, without a sandbox: %s", what, outcome)
		}
	}
	var directives []string
	for line := range strings.Lines(s.systemctl("cat", bridgeUnit)) {
		if !runs.MatchString(line) {
			directives = append(directives, line)
		}
	}
	sandboxed := s.probe("sandboxed", strings.Join(directives, ""))
	const refused, unsupported = "operation not permitted", "address family not supported by protocol"
	want := map[string]string{
		"unix socket":         "done",
		"internet socket":     unsupported,
		"netlink socket":      unsupported,
		"user namespace":      "fork/exec /bin/true: " + refused,
		"writable code":       refused,
		"written code":        refused,
		"personality":         refused,
		"realtime":            refused,
		"set-user-id bit":     refused,
		"setuid program":      "it ran as 1000",
		"foreign code":        "signal: bad system call",
		"memory of processes": refused,
		"debugger":            refused,
		"owner of a file":     refused,
		"priority":            refused,
		"io_uring":            refused,
		"keyring":             refused,
		"locked memory":       refused,
		"file for others":     "its mode is -rw-------",
	}
	if s.signalsLid() { // in systemd 257 the kernel denies it, not a filter
		want["writable code"], want["written code"] = "permission denied", "permission denied"
	}
	if len(free) != len(want) || len(sandboxed) != len(want) {
		t.Errorf("not all was tried: %v, %v", free, sandboxed)
	}
	for what, outcome := range want {
		t.Logf("%s: %s", what, sandboxed[what])
		if sandboxed[what] != outcome {
			t.Errorf("%s: %q, not %q", what, sandboxed[what], outcome)
		}
	}
}

const labProgram = "/usr/local/bin/lab"

// runs matches the lines of the service that say what it runs and when. A probe
// does not take these over.
var runs = regexp.MustCompile(`^(Type|Exec\w+|Restart\w*|WatchdogSec)=`)

// probe runs lab's probe in a service and returns how each attempt went.
func (s *scene) probe(name, unit string) map[string]string {
	s.Helper()
	dir := filepath.Join(home, name)
	s.user("mkdir " + dir)
	s.root("install --mode=4755 " + labProgram + " " + dir + "/lab-setuid")
	s.write(name+".service", unit+"\n[Service]\nType=oneshot\nExecStart="+labProgram+" probe "+dir+
		"\nStandardOutput=file:"+dir+"/outcomes\n")
	s.systemctl("daemon-reload")
	s.systemctl("start", name+".service")
	text, err := os.ReadFile(filepath.Join(dir, "outcomes"))
	s.must(err)
	outcomes := map[string]string{}
	for line := range strings.Lines(string(text)) {
		what, outcome, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		outcomes[what] = outcome
	}
	return outcomes
}
