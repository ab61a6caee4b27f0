package scenes

import (
	"os"
	"strings"
	"testing"
)

func TestServiceIsSandboxed(t *testing.T) {
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
	// What the user manager thinks of the units as it reads them.
	const warning = "4"
	if said := s.root("journalctl --quiet --output=cat --priority=" + warning + " --after-cursor='" + s.cursor + "' _UID=1000"); said != "" {
		t.Errorf("there are warnings: %s", said)
	}
}
