package integration

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// People give the service flags in a drop-in, which goes wrong in several ways.
func TestDoctorOnADropInOfTheService(t *testing.T) {
	s := installed(t, sandbox.Options{})
	const dropIn = ".config/systemd/user/" + bridgeUnit + ".d/override.conf"
	running := func() string {
		t.Helper()
		return s.user("tr '\\0' ' ' </proc/$(systemctl --user show -P MainPID " + bridgeUnit + ")/cmdline")
	}

	// The old process keeps running.
	s.flags("--switches=internet,lid,lock")
	s.mended(bridgeUnit + " changed on disk")
	if now := running(); !strings.HasSuffix(now, "--switches=internet,lid,lock") {
		t.Errorf("it runs as %s", now)
	}
	s.flags("--switches=internet,lid")
	s.systemctl("daemon-reload")
	s.mended(bridgeUnit + " runs with a different command line or environment")
	if now := running(); !strings.HasSuffix(now, "--switches=internet,lid") {
		t.Errorf("it runs as %s", now)
	}

	const variable = ".config/systemd/user/" + bridgeUnit + ".d/variable.conf"
	s.write(variable, "[Service]\nEnvironment='COLOUR=light blue'\n")
	s.systemctl("daemon-reload")
	s.mended(bridgeUnit + " runs with a different command line or environment")
	s.must(os.Remove(sandbox.Home + "/" + variable))
	s.systemctl("daemon-reload")
	s.clean("") // nothing misses what is gone

	// There are two command lines.
	s.write(dropIn, "[Service]\nExecStart=%h/.local/bin/nm-session-bridge run --switches=internet\n")
	s.systemctl("daemon-reload")
	f := s.finds("", bridgeUnit+" cannot be loaded: "+sandbox.Home+"/"+dropIn+" sets ExecStart= without an empty ExecStart= before it")
	for range 2 {
		s.user(f.mend)
		s.clean("")
	}
	if now := running(); !strings.HasSuffix(now, "--switches=internet") {
		t.Errorf("it runs as %s", now)
	}
	if now, want := s.user("cat "+dropIn), "[Service]\nExecStart=\nExecStart=%h/.local/bin/nm-session-bridge run --switches=internet"; now != want {
		t.Errorf("the drop-in has become\n%s", now)
	}

	// The program is somewhere else.
	s.write(dropIn, "[Service]\nExecStart=\nExecStart=/opt/nm-session-bridge run '--switches=internet,lid'\n")
	s.systemctl("daemon-reload")
	_, _ = s.Systemctl("restart", bridgeUnit) // systemd may or may not know at once that it fails
	s.expect("failed", bridgeUnit)
	f = s.finds("", bridgeUnit+" has failed: its program /opt/nm-session-bridge in "+sandbox.Home+"/"+dropIn+" is missing")
	for range 2 {
		s.user(f.mend)
		s.clean("")
	}
	if now := running(); !strings.HasSuffix(now, "--switches=internet,lid") {
		t.Errorf("it runs as %s", now)
	}
}

// A recipe was added before its program was installed.
func TestDoctorOnAMissingProgram(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.giveSudo(map[string]string{
		"apt": "#!/bin/sh\nprintf '#!/bin/sh\\nexec sleep infinity\\n' >/usr/local/bin/offlineimap\nchmod +x /usr/local/bin/offlineimap\n",
	})
	s.systemctl("import-environment", "PATH")
	s.user(program + " recipe add mail; systemctl --user enable mail-sync.service; systemctl --user start mail-sync.service || true")
	s.expect("activating", "mail-sync.service")
	f := s.finds("", "mail-sync.service, which internet-online.target wants, fails each time: its program ", "offlineimap is missing or cannot be run (exit-code, 203/EXEC)")
	if !strings.HasPrefix(f.mend, "sudo apt install offlineimap3 && ") {
		t.Errorf("it is mended by %s", f.mend)
	}
	for range 2 {
		s.user(f.mend)
		s.clean("")
	}
	s.expect("active", "mail-sync.service")

	// It is where only the user's shell looks.
	s.user("mkdir /dev/shm/tools && cp /usr/local/bin/offlineimap /dev/shm/tools/")
	t.Cleanup(func() { _ = os.RemoveAll("/dev/shm/tools") })
	s.must(os.Remove("/usr/local/bin/offlineimap"))
	_, _ = s.Systemctl("restart", "mail-sync.service")
	s.expect("activating", "mail-sync.service")
	const shell = "PATH=/dev/shm/tools:$PATH;"
	f = s.finds(shell, "mail-sync.service", "203/EXEC")
	for range 2 {
		s.user(shell + f.mend)
		s.clean("")
	}
	s.expect("active", "mail-sync.service")
	if line := s.systemctl("show", "-P", "ExecStart", "mail-sync.service"); !strings.Contains(line, "/dev/shm/tools/offlineimap -u basic") {
		t.Errorf("it runs %s", line)
	}

	// A line that goes on below cannot be copied into a drop-in.
	units := sandbox.Home + "/.config/systemd/user/"
	s.must(os.RemoveAll(units + "mail-sync.service.d"))
	s.user(`sed -i 's/^ExecStart=offlineimap/& \\\n/' ` + units + "mail-sync.service")
	s.systemctl("daemon-reload")
	_, _ = s.Systemctl("restart", "mail-sync.service")
	s.expect("activating", "mail-sync.service")
	f = s.finds(shell, "mail-sync.service", "203/EXEC")
	by, then, _ := strings.Cut(f.mend, "; then ")
	if want := "# by hand: correct ExecStart= of mail-sync.service, to run /dev/shm/tools/offlineimap"; by != want {
		t.Errorf("it is mended by %s, not %s", by, want)
	}
	s.user("sed -i 's|offlineimap|/dev/shm/tools/&|' " + units + "mail-sync.service && " + then)
	s.expect("active", "mail-sync.service")
	s.clean(shell)
}

// Commands for one unit each add lines to it, in one round or in several.
func TestTheDoctorsCommandsAddUp(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.standIn(map[string]string{"swaylock": forkingLocker})
	for name, test := range map[string]struct {
		unit   string
		rounds int
	}{
		"chat.service": {"[Service]\nExecStart=/opt/sleep infinity\n[Install]\nWantedBy=internet-online.target\n", 1},
		// Only a program that can be run can be told to go to the background.
		"locker.service": {"[Service]\nExecStart=/opt/swaylock -c 000000\n[Install]\nWantedBy=lock.target\n", 2},
	} {
		s.enable(name, test.unit)
		s.user("systemctl --user start " + name + " || true")
		for range test.rounds {
			found, _ := s.doctor("")
			for range 2 {
				for _, f := range found {
					s.user(f.mend)
				}
			}
		}
		s.clean("")
		s.expect("active", name)
	}
}

// Of several commands, one cannot be run. The others stay as they are.
func TestDoctorOnOneOfSeveralCommands(t *testing.T) {
	s := installed(t, sandbox.Options{})
	s.enable("mail.service", "[Unit]\nAfter=internet-online.target\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\nExecStart=/opt/sleep 0\n[Install]\nWantedBy=internet-online.target\n")
	s.user("systemctl --user start mail.service || true")
	s.expect("failed", "mail.service")
	found, _ := s.doctor("")
	i := slices.IndexFunc(found, func(f finding) bool { return strings.Contains(f.what, "/opt/sleep is missing or cannot be run") })
	if i < 0 || !strings.HasPrefix(found[i].mend, "# by hand: correct ExecStart= of mail.service, to run /usr/bin/sleep; then ") {
		t.Errorf("it finds %q", found)
	}
}
