package integration

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

func TestDoctorOnOneUnit(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.enable("one.service", "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=internet-online.target\n")
	s.enable("other.service", "[Service]\nExecStart=/bin/false\n[Install]\nAlias=alias.service\nWantedBy=internet-online.target\n")
	// This one comes from a package.
	s.layOver("/run/systemd/user")
	s.must(os.WriteFile("/run/systemd/user/packaged.service", []byte("[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=lid-open.target\n"), 0o644))
	s.systemctl("daemon-reload")
	s.systemctl("start", "internet-online.target", "one.service", "other.service")
	s.expect("failed", "other.service")
	if found, summary := s.doctor(""); len(found) != 3 || summary != "3 findings" {
		t.Errorf("of all units it finds %q; %s", found, summary)
	}
	look := func(unit string) (found []struct{ Unit, What, Why, Mend string }) {
		t.Helper()
		var report struct {
			Findings []struct{ Unit, What, Why, Mend string }
		}
		s.must(json.Unmarshal([]byte(s.user("nm-session-bridge doctor --json "+unit+" || [ $? = 1 ]")), &report))
		return report.Findings
	}
	for asked, unit := range map[string]string{"one": "one.service", "packaged.service": "packaged.service"} {
		found := look(asked)
		if len(found) == 0 {
			t.Fatalf("doctor %s finds nothing", asked)
		}
		for _, f := range found {
			if f.Unit != unit || !strings.HasPrefix(f.What, unit+": ") || f.Why == "" || f.Mend != found[0].Mend {
				t.Errorf("doctor %s finds %q", asked, found)
			}
		}
		s.user(found[0].Mend)
		if found := look(asked); len(found) > 0 {
			t.Errorf("then doctor %s finds %q", asked, found)
		}
	}
	if found := look("alias"); len(found) != 2 || found[0].Unit != "other.service" {
		t.Errorf("doctor alias finds %q", found)
	}
	if out, want := s.fails(2, "nm-session-bridge doctor on.service"), "nm-session-bridge: no unit is called on.service, did you mean one.service?; see nm-session-bridge help doctor"; out != want {
		t.Errorf("it says %s, not %s", out, want)
	}
	if words := s.user("nm-session-bridge __complete doctor o 2>/dev/null"); !strings.Contains(words, "one.service\nother.service\n") {
		t.Errorf("a shell would complete %s", words)
	}
}
