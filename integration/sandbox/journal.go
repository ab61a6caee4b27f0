package sandbox

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// journalConf keeps journald off the machine's kernel log and console, and lets it lose nothing.
const journalConf = `[Journal]
Storage=%s
SyncIntervalSec=0
ReadKMsg=no
Audit=no
RateLimitBurst=0
ForwardToSyslog=no
ForwardToWall=no
`

// startJournal starts the real systemd-journald. By default its files lie in the sandbox's own
// /var/log. journalctl --user needs the user's files, which exist only in persistent storage.
func (sb *Sandbox) startJournal(ctx context.Context, storage string) error {
	if storage == "" {
		storage = "persistent"
	}
	for _, dir := range []string{"/run/systemd/journal", "/run/systemd/journald.conf.d", "/var/log/journal"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	files := map[string]string{
		"/run/systemd/journald.conf.d/sandbox.conf": fmt.Sprintf(journalConf, storage),
		"/run/systemd/journal/flushed":              "", // what journalctl --flush leaves: /var is mounted
	}
	for name, content := range files {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			return err
		}
	}
	cmd := exec.Command(systemdProgram("systemd-journald"))
	var err error
	sb.journald, err = sb.startNotifying(ctx, "journald", "system.slice/systemd-journald.service", cmd)
	return err
}

// Journal runs journalctl --user as the user, after everything logged so far has been written. It
// returns the trimmed output.
func (sb *Sandbox) Journal(ctx context.Context, args ...string) (string, error) {
	if _, err := output(exec.CommandContext(ctx, "journalctl", "--sync")); err != nil {
		return "", err
	}
	return output(sb.Command("journalctl", append([]string{"--user", "--no-pager"}, args...)...))
}

// saveJournal writes the whole journal to the log directory, if there is one.
func (sb *Sandbox) saveJournal() error {
	if !sb.keepLog || !sb.journald.running() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := output(exec.CommandContext(ctx, "journalctl", "--sync")); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(sb.logDir, "journal.log"))
	if err != nil {
		return err
	}
	defer file.Close()
	cmd := exec.CommandContext(ctx, "journalctl", "--no-pager", "--output=short-precise")
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot save the journal: %w", err)
	}
	return nil
}

// systemdProgram finds a program of systemd that is not in PATH.
func systemdProgram(name string) string {
	path := "/usr/lib/systemd/" + name
	if _, err := os.Stat(path); err != nil {
		return "/lib/systemd/" + name
	}
	return path
}
