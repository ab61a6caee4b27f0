package scenes

import (
	"strings"
	"testing"
)

// mailUnit is the unit of the README's "The unit to copy", word for word.
const mailUnit = `[Unit]
Description=Keep mail in sync while online
After=internet-online.target
PartOf=internet-online.target
Requisite=internet-online.target

[Service]
ExecStart=/usr/bin/offlineimap

[Install]
WantedBy=internet-online.target
`

func TestAfterWhatTheReadmeSaysAllIsInOrder(t *testing.T) {
	s := beginOpen(t)
	s.root("printf '#!/bin/sh\\nexec sleep infinity\\n' >/usr/bin/offlineimap && chmod 755 /usr/bin/offlineimap")
	s.afterwards("rm /usr/bin/offlineimap")

	s.install()
	s.internet(online)
	s.isInOrder("install --now")

	const unit = "mail.service"
	s.write(unit, mailUnit)
	s.systemctl("enable", unit)
	s.isUpToDate("systemctl enable")
	s.systemctl("start", unit)
	s.expect("active", unit)
	s.isInOrder("the README's unit")

	s.user(".local/bin/nm-session-bridge recipe add portal")
	s.isUpToDate("recipe add")
	s.user(bridgeProgram + " install --now")
	s.isUpToDate("a second install")
	s.user(".local/bin/nm-session-bridge uninstall")
	s.isUpToDate("uninstall")
}

// isInOrder checks that doctor is content and systemctl warns of nothing.
func (s *scene) isInOrder(after string) {
	s.Helper()
	if said := s.user(".local/bin/nm-session-bridge doctor 2>&1 || echo status $?"); strings.Contains(said, "status ") {
		s.Errorf("after %s doctor says: %s", after, said)
	}
	s.isUpToDate(after)
}

// isUpToDate checks that the user manager knows the units as they are on disk.
func (s *scene) isUpToDate(after string) {
	s.Helper()
	if said := s.user("systemctl --user --no-pager status " + bridgeUnit + " 2>&1 || true"); strings.Contains(said, "changed on disk") {
		s.Errorf("after %s systemctl status warns: %s", after, said)
	}
	if units := s.user(`systemctl --user --property=Id,NeedDaemonReload show '*' |
		awk -F= '$1 == "Id" { id = $2 } $0 == "NeedDaemonReload=yes" { print id }'`); units != "" {
		s.Errorf("after %s there are units to be read anew: %s", after, strings.Join(strings.Fields(units), ", "))
	}
}
