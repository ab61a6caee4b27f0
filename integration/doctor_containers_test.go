package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

// sinceFive stands in for the generator of podman 5.3.
const sinceFive = `#!/bin/sh
for file in ` + containers + `/*.container; do
  [ -e "$file" ] || continue
  name=$(basename "$file" .container)
  {
    echo [Unit]
    echo "SourcePath=$file"
    grep -q '^DefaultDependencies=false' "$file" || printf '%s=podman-user-wait-network-online.service\n' Wants After
    sed -e 's/^\[Container\]/[X-Container]/' -e 's/^\[Quadlet\]/[X-Quadlet]/' "$file"
    printf '[Service]\nExecStart=/bin/sleep infinity\n'
  } >"$1/$name.service"
  for target in $(sed -n 's/^WantedBy=//p' "$file"); do
    mkdir -p "$1/$target.wants" && ln -s "../$name.service" "$1/$target.wants/"
  done
done
`

func TestDoctorOnContainersThatWaitForTheNetwork(t *testing.T) {
	const (
		wait     = "podman-user-wait-network-online.service"
		waitFile = "/run/systemd/user/" + wait
		flow     = "After=internet-online.target\nPartOf=internet-online.target\n"
	)
	s := installed(t, sandbox.Options{})
	s.systemctl("import-environment", "PATH")
	s.generate(sinceFive)
	s.must(os.MkdirAll("/run/systemd/user", 0o755))
	s.must(os.WriteFile(waitFile, []byte("[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\n"), 0o644))
	container := func(name, unit, more, target string) {
		t.Helper()
		s.write(containers+"/"+name+".container", "[Unit]\n"+unit+"[Container]\nImage=example.org/"+name+"\n"+more+"[Install]\nWantedBy="+target+"\n")
		s.systemctl("daemon-reload")
		s.systemctl("start", name+".service")
	}
	container("music", "", "", "default.target")
	s.clean("") // as podman means it
	container("relay", flow, "", "internet-online.target")
	f := s.finds("", "relay.service: it waits for "+wait+" as well as internet-online.target")
	if want := "# by hand: in " + containers + "/relay.container, add DefaultDependencies=false under [Quadlet]; then systemctl --user daemon-reload"; f.mend != want {
		t.Errorf("it is mended by %s", f.mend)
	}
	container("relay", flow, "[Quadlet]\nDefaultDependencies=false\n", "internet-online.target")
	s.clean("")

	s.must(os.WriteFile(waitFile, []byte("[Service]\nType=oneshot\nTimeoutStartSec=100ms\nExecStart=sleep infinity\n"), 0o644))
	s.systemctl("daemon-reload")
	_, _ = s.Systemctl("restart", wait)
	s.expect("failed", wait)
	f = s.finds("", wait+" timed out waiting for the system manager's network-online.target")
	if !strings.HasPrefix(f.mend, "sudo systemctl add-wants multi-user.target network-online.target && ") || !strings.HasSuffix(f.mend, " && systemctl --user restart "+wait) {
		t.Errorf("it is mended by %s", f.mend)
	}
}

// generate makes the user manager run a generator.
func (s *scene) generate(script string) {
	s.Helper()
	const dir = "/run/systemd/user-generators"
	s.must(os.MkdirAll(dir, 0o755))
	s.must(os.WriteFile(dir+"/quadlet", []byte(script), 0o755))
}
