package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/journal"
)

// Journal reads one user's journal with journalctl. The library for it is written in C,
// and this program is built without cgo.
type Journal struct {
	// UID is the user's ID.
	UID int
	// Unit is the bridge's service, and Identifier marks its entries.
	Unit, Identifier string
	// Disk is the directory of the journals that journald keeps on disk. It is
	// [OnDisk], except in tests.
	Disk string
	// Run runs a program and returns what it printed, even if it fails.
	Run func(ctx context.Context, program string, args ...string) (stdout, stderr []byte, err error)
}

// OnDisk is where journald keeps journals on disk, in a directory for each
// machine (systemd-journald.service(8)).
const OnDisk = "/var/log/journal"

// ErrTimestamp is the error for a time that systemd does not understand.
var ErrTimestamp = errors.New("accepted values are times such as 2h, 3d, today, yesterday, 09:00 or \"2026-11-22 18:00\", see systemd.time(7)")

// Moment reads a time in the form of systemd.time(7), as journalctl --since= does. A bare
// time span counts back from now. The error is [ErrTimestamp], or says that
// systemd-analyze does not run.
func (j Journal) Moment(ctx context.Context, text string) (time.Time, error) {
	for _, form := range []string{text, "-" + text} {
		out, _, err := j.Run(ctx, "systemd-analyze", "timestamp", "--", form)
		var refused *exec.ExitError
		if errors.As(err, &refused) {
			continue
		}
		if err != nil {
			return time.Time{}, fmt.Errorf("cannot understand times without systemd-analyze: %w", err)
		}
		_, seconds, found := strings.Cut(string(out), "UNIX seconds: @")
		seconds, _, _ = strings.Cut(seconds, "\n")
		if at, err := parseSeconds(seconds); found && err == nil {
			return at, nil
		}
	}
	return time.Time{}, ErrTimestamp
}

// parseSeconds reads a Unix time with up to six decimals.
func parseSeconds(text string) (time.Time, error) {
	whole, decimals, _ := strings.Cut(strings.TrimSpace(text), ".")
	micros, err := strconv.ParseInt(whole+(decimals + "000000")[:6], 10, 64)
	return time.UnixMicro(micros), err
}

// Now is the present on the clocks that the journal's entries use.
type Now struct {
	Time time.Time
	// Monotonic is CLOCK_MONOTONIC, which stands still while the machine sleeps.
	Monotonic time.Duration
	// Boot is the boot's ID in the journal's form.
	Boot string
}

// Events returns what the bridge logged since its last start before a time, so that the
// positions at that time are known.
func (j Journal) Events(ctx context.Context, since time.Time, switches []Switch, now Now) ([]Event, error) {
	names := make([]string, len(switches))
	for i, s := range switches {
		names[i] = strings.ToUpper(s.Name)
	}
	started, err := j.entries(ctx, "--until="+systemdTime(since), "--reverse", "--lines=1",
		j.ofUser(), "USER_UNIT="+j.Unit, "MESSAGE_ID="+journal.UnitStarting)
	if err != nil {
		return nil, err
	}
	// Without a start, everything is read: the journal is so small that it lost the start.
	args := []string{
		"--output-fields=MESSAGE,MESSAGE_ID,SYSLOG_IDENTIFIER,SWITCH,FROM,TO,REASON,TARGET,RESULT,DURATION_USEC," + strings.Join(names, ","),
		j.ofUser(), "SYSLOG_IDENTIFIER=" + j.Identifier, "+",
		j.ofUser(), "USER_UNIT=" + j.Unit,
	}
	if len(started) > 0 {
		args = append([]string{"--since=" + systemdTime(started[0].Time)}, args...)
	}
	entries, err := j.entries(ctx, args...)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, j.isThere(ctx)
	}
	r := reader{switches: switches, identifier: j.Identifier, lastOf: func(boot string) (time.Time, error) { return j.lastOf(ctx, boot) }}
	for _, e := range entries {
		if err := r.read(e); err != nil {
			return nil, err
		}
	}
	err = r.pass(journal.Exported{Time: now.Time, Monotonic: now.Monotonic, Boot: now.Boot})
	return r.events, err
}

// isThere returns an error if there is no journal. journalctl says so only when it writes
// for people.
func (j Journal) isThere(ctx context.Context) error {
	_, said, err := j.Run(ctx, "journalctl", "--no-pager", "--lines=1")
	if err == nil && strings.Contains(string(said), noFiles) {
		return errors.New("there is no journal: journald keeps none (Storage=none in journald.conf) or is not running; see systemctl status systemd-journald")
	}
	return nil
}

func (j Journal) ofUser() string { return "_UID=" + strconv.Itoa(j.UID) }

// lastOf returns the time of a boot's last entry.
func (j Journal) lastOf(ctx context.Context, boot string) (time.Time, error) {
	entries, err := j.entries(ctx, "--reverse", "--lines=1", "_BOOT_ID="+boot)
	if err != nil || len(entries) == 0 {
		return time.Time{}, err
	}
	return entries[0].Time, nil
}

func systemdTime(t time.Time) string {
	return fmt.Sprintf("@%d.%06d", t.Unix(), t.Nanosecond()/1000)
}

const (
	// noPermission is what journalctl says if the user may not read the journal, and
	// noFiles if there is none.
	noPermission = "insufficient permissions"
	noFiles      = "No journal files were found"

	keepIt = `sudo mkdir -p /etc/systemd/journald.conf.d && printf '[Journal]\nStorage=persistent\n' | sudo tee /etc/systemd/journald.conf.d/nm-session-bridge.conf && sudo systemctl restart systemd-journald.service && sudo journalctl --flush`
)

// remedy says how a user without permission can read the journal. The files show where the
// journal is: systemd 259 changed the default of Storage=, and a running journald may not
// have read the present settings.
func (j Journal) remedy() string {
	if files, _ := filepath.Glob(filepath.Join(j.Disk, "*", "*.journal")); len(files) > 0 {
		return `it is on disk, but none of the files is yours until your next entry (SplitMode= in journald.conf); to read all of it, log in again after: sudo usermod -aG systemd-journal "$(id -un)"`
	}
	return "it is in memory, where users cannot read their own entries: join the group systemd-journal and log in again, or have it kept on disk: " + keepIt
}

// entries asks journalctl. It selects the user's entries by UID and not with --user, which
// reads only per-user files: a journal in memory has none.
func (j Journal) entries(ctx context.Context, args ...string) ([]journal.Exported, error) {
	args = append([]string{"--no-pager", "--output=export"}, args...)
	stdout, stderr, err := j.Run(ctx, "journalctl", args...)
	var failed *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("cannot read the journal: %w; the history is in the journal of systemd", err)
	case errors.As(err, &failed) && strings.Contains(string(stderr), noPermission):
		return nil, errors.New("cannot read the journal: you have no permission; " + j.remedy())
	case err != nil:
		return nil, fmt.Errorf("cannot read the journal: journalctl: %w: %s", err, lastLine(stderr))
	}
	return journal.ParseExport(stdout)
}

func lastLine(text []byte) []byte {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return lines[len(lines)-1]
}

func runProgram(ctx context.Context, program string, args ...string) (stdout, stderr []byte, err error) {
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &out, &problems
	err = cmd.Run()
	return out.Bytes(), problems.Bytes(), err
}
