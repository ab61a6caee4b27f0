package history

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/journal"
)

// logbook stands in for journalctl, for entries that a test cannot make for real: power
// failures and sleep.
type logbook struct {
	started string // of the last start before the window
	entries string
	last    map[string]string // of a boot
	asked   []string
}

func (l *logbook) run(_ context.Context, program string, args ...string) (stdout, stderr []byte, err error) {
	line := program + " " + strings.Join(args, " ")
	l.asked = append(l.asked, line)
	if _, boot, found := strings.Cut(line, "_BOOT_ID="); found {
		return []byte(l.last[boot]), nil, nil
	}
	if strings.Contains(line, "MESSAGE_ID="+journal.UnitStarting) {
		return []byte(l.started), nil, nil
	}
	return []byte(l.entries), nil, nil
}

func (l *logbook) journal() Journal {
	return Journal{UID: 1000, Unit: "bridge.service", Identifier: "bridge", Run: l.run}
}

// logged returns an entry in the export format. The monotonic clock says how long the
// boot was awake.
func logged(clock, boot string, awake time.Duration, fields ...string) string {
	return fmt.Sprintf("__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n%s\n\n",
		at(clock).UnixMicro(), awake.Microseconds(), boot, strings.Join(fields, "\n"))
}

func byBridge(clock, boot string, awake time.Duration, fields ...string) string {
	return logged(clock, boot, awake, append(fields, "SYSLOG_IDENTIFIER=bridge")...)
}

func byManager(clock, boot string, awake time.Duration, id string) string {
	return logged(clock, boot, awake, "SYSLOG_IDENTIFIER=systemd", "MESSAGE_ID="+id)
}

func TestEvents(t *testing.T) {
	const hour = time.Hour
	start := byBridge("08:00:00", "a", hour, "MESSAGE=observing", "INTERNET=online", "LID=unknown")
	for name, test := range map[string]struct {
		entries string
		now     Now
		want    string
	}{
		"nothing": {"", Now{at("12:00:00"), 5 * hour, "a"}, ""},
		"it runs": {start, Now{at("12:00:00"), 5 * hour, "a"}, "08:00:00 map[internet:online lid:unknown]"},
		"a transition": {
			start + byBridge("09:00:10", "a", 2*hour+10*time.Second, "SWITCH=internet", "FROM=online", "TO=portal", "REASON=R", "DURATION_USEC=10000000", "TARGET=x.target"),
			Now{at("12:00:00"), 5 * hour, "a"},
			"08:00:00 map[internet:online lid:unknown], 09:00:00 map[internet:portal] internet online>portal R [x.target]",
		},
		"an open switch": {
			byBridge("08:00:00", "a", hour, "MESSAGE=observing", "OFFICE=desk 3", "LID=ajar"),
			Now{at("12:00:00"), 5 * hour, "a"},
			"08:00:00 map[office:desk 3]",
		},
		"words that move nothing": {
			start + byBridge("09:00:00", "a", 2*hour, "SWITCH=lid", "MESSAGE=the lid is read from UPower") +
				byBridge("09:00:00", "a", 2*hour, "LID=", "MESSAGE=x") + byManager("10:00:00", "a", 3*hour, "0123"),
			Now{at("12:00:00"), 5 * hour, "a"},
			"08:00:00 map[internet:online lid:unknown]",
		},
		"stopped": {
			start + byBridge("09:00:00", "a", 2*hour, "MESSAGE="+journal.LastWords) +
				byManager("09:00:01", "a", 2*hour+time.Second, journal.UnitStopping) + byManager("09:00:02", "a", 2*hour+2*time.Second, journal.UnitStopped),
			Now{at("12:00:00"), 5 * hour, "a"},
			"08:00:00 map[internet:online lid:unknown], 09:00:00 ended",
		},
		"failed": {
			start + byManager("09:00:00", "a", 2*hour, journal.UnitFailureResult),
			Now{at("12:00:00"), 5 * hour, "a"},
			"08:00:00 map[internet:online lid:unknown], 09:00:00 ended",
		},
		"killed with its manager": {
			start + byManager("11:00:00", "a", 4*hour, journal.UnitStarting),
			Now{at("12:00:00"), 5 * hour, "a"},
			"08:00:00 map[internet:online lid:unknown], 08:00:00 ended",
		},
		"slept": {
			start + byBridge("11:00:00", "a", 2*hour, "MESSAGE=x"),
			Now{at("12:00:00"), 3 * hour, "a"},
			"08:00:00 map[internet:online lid:unknown], 11:00:00 slept 2h0m0s",
		},
		"slept until now": {
			start,
			Now{at("12:00:00"), 2 * hour, "a"},
			"08:00:00 map[internet:online lid:unknown], 12:00:00 slept 3h0m0s",
		},
		"a power failure": {
			start + byManager("11:00:00", "b", hour, journal.UnitStarting),
			Now{at("12:00:00"), 2 * hour, "b"},
			"08:00:00 map[internet:online lid:unknown], 10:30:00 ended",
		},
		"a power failure of which the journal says nothing": {
			byBridge("08:00:00", "c", hour, "INTERNET=online"),
			Now{at("12:00:00"), 2 * hour, "b"},
			"08:00:00 map[internet:online], 08:00:00 ended",
		},
	} {
		l := &logbook{entries: test.entries, last: map[string]string{"a": logged("10:30:00", "a", 3*hour)}}
		events, err := l.journal().Events(context.Background(), at("07:00:00"), append(switches(), Switch{Name: "office", Open: true}), test.now)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, e := range events {
			said := e.Time.UTC().Format(time.TimeOnly)
			if e.Positions != nil {
				said += " " + fmt.Sprint(e.Positions)
			}
			if tr := e.Transition; tr != nil {
				said += fmt.Sprintf(" %s %s>%s %s %v", tr.Switch, tr.From, tr.To, tr.Reason, tr.Targets)
			}
			if e.Ended {
				said += " ended"
			}
			if e.Slept > 0 {
				said += " slept " + e.Slept.String()
			}
			got = append(got, said)
		}
		if got := strings.Join(got, ", "); got != test.want {
			t.Errorf("%s:\n%s\nnot\n%s", name, got, test.want)
		}
	}
}

func TestTheJournalIsReadFromTheStartBeforeTheWindow(t *testing.T) {
	now := Now{at("12:00:00"), 5 * time.Hour, "a"}
	l := &logbook{started: byManager("05:00:00", "a", 0, journal.UnitStarting)}
	if _, err := l.journal().Events(context.Background(), at("07:00:00"), switches(), now); err != nil {
		t.Fatal(err)
	}
	since := fmt.Sprintf("--since=@%d.000000 ", at("05:00:00").Unix())
	if !strings.Contains(l.asked[0], "_UID=1000 USER_UNIT=bridge.service MESSAGE_ID=") || !strings.Contains(l.asked[1], since) ||
		!strings.HasSuffix(l.asked[1], " _UID=1000 SYSLOG_IDENTIFIER=bridge + _UID=1000 USER_UNIT=bridge.service") {
		t.Errorf("asked %q", l.asked)
	}
	l = &logbook{}
	if _, err := l.journal().Events(context.Background(), at("07:00:00"), switches(), now); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(l.asked[1], "--since") {
		t.Errorf("without a start before the window asked %q", l.asked)
	}
}

func TestAJournalThatCannotBeRead(t *testing.T) {
	failed := func() error { return exec.Command("false").Run() }()
	for _, test := range []struct {
		stderr string
		err    error
		want   string
	}{
		{"", &exec.Error{Name: "journalctl", Err: exec.ErrNotFound}, "cannot read the journal: exec: \"journalctl\": executable file not found in $PATH; the history"},
		{"Hint: x\nthe disk is on fire\n", failed, "cannot read the journal: journalctl: exit status 1: the disk is on fire"},
	} {
		j := Journal{Run: func(context.Context, string, ...string) ([]byte, []byte, error) {
			return nil, []byte(test.stderr), test.err
		}}
		_, err := j.Events(context.Background(), at("07:00:00"), switches(), Now{})
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("got %v, not %s", err, test.want)
		}
	}
}

func TestTheRemedyIsForTheJournalThatThereIs(t *testing.T) {
	failed := exec.Command("false").Run()
	for name, test := range map[string]struct {
		files []string
		want  string
		not   string
	}{
		"nothing on disk":           {nil, "it is in memory", "SplitMode"},
		"a directory of no journal": {[]string{"0123/"}, "sudo journalctl --flush", "SplitMode"},
		"a journal on disk":         {[]string{"0123/system.journal"}, "it is on disk, but none of the files is yours", "Storage="},
	} {
		t.Run(name, func(t *testing.T) {
			disk := t.TempDir()
			for _, file := range test.files {
				if err := os.MkdirAll(filepath.Join(disk, filepath.Dir(file)), 0o755); err != nil {
					t.Fatal(err)
				}
				if filepath.Ext(file) == "" {
					continue
				}
				if err := os.WriteFile(filepath.Join(disk, file), nil, 0o640); err != nil {
					t.Fatal(err)
				}
			}
			j := Journal{Disk: disk, Run: func(context.Context, string, ...string) ([]byte, []byte, error) {
				return nil, []byte("No journal files were opened due to insufficient permissions.\n"), failed
			}}
			_, err := j.Events(context.Background(), at("07:00:00"), switches(), Now{})
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), test.not) || !strings.Contains(err.Error(), "systemd-journal") {
				t.Errorf("got %v", err)
			}
		})
	}
}
