package integration

import (
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

const (
	calendar       = sandbox.Home + "/Calendar"
	serverCalendar = serverDir + "/calendars/collection-root/gemini/calendar"

	// vdirsyncer reads it.
	calendarAccount = `[general]
status_path = "~/.local/share/vdirsyncer"

[pair calendar]
a = "near"
b = "far"
collections = null

[storage near]
type = "filesystem"
path = "~/Calendar"
fileext = ".ics"

[storage far]
type = "caldav"
url = "http://` + sandbox.UplinkAddress + `:5232/gemini/calendar/"
`
	// Radicale reads it.
	calendarServer = `[server]
hosts = ` + sandbox.UplinkAddress + `:5232
[auth]
type = none
[logging]
level = info
[storage]
filesystem_folder = ` + serverDir + `/calendars
`
)

// The real vdirsyncer syncs with a real Radicale.
func TestCalendarsAreSyncedWhileOnline(t *testing.T) {
	const timer, unit = "calendars.timer", "calendars.service"
	s := beginWithPrograms(t, sandbox.Options{})
	s.online()
	s.write(serverDir+"/radicale.conf", calendarServer)
	s.write(serverCalendar+"/.Radicale.props", `{"tag": "VCALENDAR"}`)
	s.serve("server ready", "/usr/bin/python3", "-m", "radicale", "--config", serverDir+"/radicale.conf")
	s.write(sandbox.Home+"/.config/vdirsyncer/config", calendarAccount)
	s.user("mkdir " + calendar + " && yes | vdirsyncer discover")
	s.writeEvent(serverCalendar, "lunch")
	s.follows("timer")
	s.started(unit, 1)
	s.expect("inactive", unit)
	s.wantEvents(calendar, "lunch")

	s.unplug()
	s.writeEvent(serverCalendar, "dinner")
	s.writeEvent(calendar, "breakfast")
	s.idle(timer)
	s.refused(unit)
	s.wantEvents(calendar, "breakfast", "lunch")
	s.plug()
	s.expect("active", timer)
	s.started(unit, 2)
	s.expect("inactive", unit)
	s.wantEvents(calendar, "breakfast", "dinner", "lunch")
	s.wantEvents(serverCalendar, "breakfast", "dinner", "lunch")
}

func (s *scene) writeEvent(dir, summary string) {
	s.Helper()
	s.write(dir+"/"+summary+".ics", strings.ReplaceAll(`BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//EN
BEGIN:VEVENT
UID:`+summary+`
DTSTAMP:20260101T120000Z
DTSTART:20260101T120000Z
SUMMARY:`+summary+`
END:VEVENT
END:VCALENDAR
`, "\n", "\r\n"))
}

// wantEvents checks the summaries of all events in a calendar.
func (s *scene) wantEvents(dir string, want ...string) {
	s.Helper()
	got := s.user("sed -n 's/^SUMMARY:\\([a-z]*\\).*/\\1/p' " + dir + "/*.ics | sort | tr '\\n' ' '")
	if got != strings.Join(want, " ") {
		s.Errorf("%s has the events %q, not %q", dir, got, want)
	}
}
