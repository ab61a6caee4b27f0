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
	s.systemctl("mask", "lid-closed.target")
	if found := look("one"); len(found) > 0 {
		t.Errorf("doctor one finds %q, which does not matter to it", found)
	}
	s.enable("one.service", "[Unit]\nAfter=lid-closed.target\n[Service]\nExecStart=/bin/sleep infinity\n")
	if found := look("one"); len(found) != 1 || found[0].Unit != "lid-closed.target" {
		t.Errorf("doctor one finds %q instead of the masked target that it names", found)
	}
	s.systemctl("unmask", "lid-closed.target")
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

func TestDoctorOnWhatAUnitIsMadeFrom(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.giveSudo(nil)
	const dir, content = ".config/systemd/user/", "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=internet-online.target\n"
	s.write("share@.service", strings.Replace(content, "[Service]", "[Unit]\nAfter=network-online.target connection@%i.target\n[Service]", 1))
	s.write(dir+"share@.service.d/notify.conf", "[Unit]\nOnFailure=notify@%n.service\n")
	s.must(s.WriteFile(sandbox.Home+"/.local/share/systemd/user/drive@.service", []byte("[Service]\nExecStart=/bin/sleep infinity\n"), 0o644))
	s.write("notify@.service", "[Service]\nExecStart=/bin/true\n")
	s.write(dir+"nobody.service.d/x.conf", "[Unit]\nAfter=lid-open.target\n")
	s.must(s.WriteFile(sandbox.Home+"/stray.service", []byte(content), 0o644))
	s.user("mkdir elsewhere && ln -s ../../../dotfiles/lost.service " + dir + "lost.service")
	s.systemctl("daemon-reload")

	// A template without instances.
	s.clean("")
	look := func(asked string) (found []finding, summary string) {
		t.Helper()
		out := s.user("nm-session-bridge doctor " + asked + " || [ $? = 1 ]")
		for _, f := range block.FindAllStringSubmatch(out+"\n", -1) {
			found = append(found, finding{f[1], f[2], f[3]})
		}
		lines := strings.Split(strings.TrimSpace(out), "\n")
		return found, lines[len(lines)-1]
	}
	if found, summary := look("notify@"); len(found) > 0 || !strings.HasSuffix(summary, ", the template notify@.service, of which there is no instance") {
		t.Errorf("of a template it says %q; %s", found, summary)
	}
	found, _ := look("share@.service")
	if len(found) != 2 || !strings.HasPrefix(found[0].what, "share@.service: network-online.target in After= is a unit of the system manager") || strings.Contains(found[1].mend, "enable") {
		t.Fatalf("of a template it says %q", found)
	}
	for range 2 {
		s.user(found[1].mend)
	}
	found, _ = look(dir + "share@.service")
	if len(found) != 1 || !strings.HasSuffix(found[0].what, "WantedBy=internet-online.target, but the unit is not enabled") || !strings.HasPrefix(found[0].mend, "# by hand: systemctl --user enable share@INSTANCE.service") {
		t.Errorf("then it says %q", found)
	}
	// Its instances.
	s.systemctl("enable", "--now", "share@home.service")
	s.expect("active", "share@home.service")
	for _, asked := range []string{"share@", "share@home", dir + "share@.service", dir + "share@.service.d/notify.conf"} {
		if found, summary := look(asked); len(found) > 0 || !strings.Contains(summary, "share@home.service") {
			t.Errorf("doctor %s says %q; %s", asked, found, summary)
		}
	}

	for _, unit := range []string{"masked.service", "drive@.service"} {
		s.systemctl("mask", unit)
		for _, asked := range []string{unit, strings.Replace(unit, "@", "@home", 1)} {
			found, _ = look(asked)
			if len(found) != 1 || !strings.HasPrefix(found[0].what, asked+" is masked") {
				t.Fatalf("of a masked unit it says %q", found)
			}
		}
		for range 2 {
			s.user(found[0].mend)
		}
	}
	if found, summary := look("drive@home.service"); len(found) > 0 {
		t.Errorf("of what is no longer masked it says %q; %s", found, summary)
	}

	const about = "; see nm-session-bridge help doctor"
	for asked, want := range map[string]string{
		"nobody":                        "no unit is called nobody.service, which " + sandbox.Home + "/" + dir + "nobody.service.d/x.conf would change",
		dir + "nobody.service.d/x.conf": "the user manager makes no unit of " + sandbox.Home + "/" + dir + "nobody.service.d/x.conf, because there is no nobody.service",
		"./stray.service":               "the user manager makes no unit of " + sandbox.Home + "/stray.service, but would after systemctl --user link " + sandbox.Home + "/stray.service",
		"elsewhere/none.service":        "cannot look at a file: stat " + sandbox.Home + "/elsewhere/none.service: no such file or directory",
		"lost":                          "no unit is called lost.service: " + sandbox.Home + "/" + dir + "lost.service is a link to ../../../dotfiles/lost.service, which does not exist",
		"shar@.service":                 "no unit is called shar@.service, did you mean share@.service?",
	} {
		if out := s.fails(2, "nm-session-bridge doctor "+asked); out != "nm-session-bridge: "+want+about {
			t.Errorf("doctor %s says %s, not %s", asked, out, want)
		}
	}
	s.user("systemctl --user add-wants internet-online.target lost.service 2>/dev/null || ln -s ../lost.service " + dir + "internet-online.target.wants/ && systemctl --user daemon-reload")
	if f := s.finds("", "lost.service, which internet-online.target wants, is a link to ../../../dotfiles/lost.service, which does not exist"); !strings.HasPrefix(f.mend, "# by hand: ") {
		t.Errorf("it is mended by %s", f.mend)
	}
}
