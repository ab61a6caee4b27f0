package integration

import (
	"os"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/integration/sandbox"
)

const repository = serverDir + "/repository" // a disk of its own

// The real restic backs up.
func TestBackupRunsWithExternalPowerOnAnUnmeteredNetwork(t *testing.T) {
	const timer, unit, letter = "backup.timer", "backup.service", sandbox.Home + "/Documents/letter"
	s := beginWithPrograms(t, sandbox.Options{NoNetworkManager: true})
	s.must(s.UPower.Start(s.ctx))
	s.must(s.UPower.SetOnBattery(true))
	s.Login1.SetExternalPower(false) // the doctor compares the two
	s.must(s.NM.Start(s.ctx))
	s.power("battery")
	s.metered("unmetered")
	s.write(letter, "first\n")
	s.write(sandbox.Home+"/.config/restic/repository", repository+"\n")
	s.write(sandbox.Home+"/.config/restic/password", "secret\n")
	s.restic("init")
	s.missAnHour()
	s.follows("backup")
	s.idle(timer, unit)
	s.refused(unit)

	s.must(s.UPower.SetOnBattery(false))
	s.power("ac")
	s.started(unit, 1)
	s.expect("inactive", unit)
	s.expect("active", timer)
	s.wantBackup(letter, 1, "first")

	s.meteredNetwork("yes")
	s.expect("inactive", timer)
	s.missAnHour()
	s.write(letter, "second\n")
	s.refused(timer)
	s.refused(unit)
	s.must(s.UPower.SetOnBattery(true))
	s.power("battery")
	s.meteredNetwork("no")
	s.idle(timer, unit)
	s.wantBackup(letter, 1, "first")
	s.must(s.UPower.SetOnBattery(false))
	s.started(unit, 2)
	s.expect("inactive", unit)
	s.wantBackup(letter, 2, "second")

	// A backup that is stopped ends cleanly.
	s.write(letter, strings.Repeat("a long letter\n", 1<<16))
	line, _, _ := strings.Cut(s.user("grep ^ExecStart= .config/systemd/user/"+unit), "\n")
	s.write(".config/systemd/user/"+unit+".d/slow.conf", "[Service]\nExecStart=\n"+line+" --limit-upload 1\n")
	s.systemctl("daemon-reload")
	s.systemctl("start", "--no-block", unit)
	s.follow("using parent snapshot", "journalctl", "--user", "_SYSTEMD_INVOCATION_ID="+s.systemctl("show", "--property=InvocationID", "--value", unit), "--follow", "--lines=all")
	s.expect("activating", unit)
	s.must(s.UPower.SetOnBattery(true))
	s.power("battery") // whose other target stops after the unit, failed or not
	if state := s.systemctl("show", "--property=ActiveState", "--value", unit); state == "activating" {
		s.Errorf("on battery the backup is %s", state)
	}
	if locks := s.restic("list --no-lock locks"); locks != "" {
		s.Errorf("the repository is still locked: %s", locks)
	}
}

// restic runs the user's restic as the recipe does.
func (s *scene) restic(words string) string {
	s.Helper()
	return s.user("restic --quiet --repository-file .config/restic/repository --password-file .config/restic/password " + words)
}

// missAnHour makes the timer believe that it elapsed long ago.
func (s *scene) missAnHour() {
	s.Helper()
	const stamps = sandbox.Home + "/.local/share/systemd/timers"
	s.user("mkdir -p " + stamps + " && touch --date='2 days ago' " + stamps + "/stamp-backup.timer")
}

func (s *scene) meteredNetwork(word string) {
	s.Helper()
	s.nmcli("connection", "modify", "home", "connection.metered", word)
	s.nmcli("device", "reapply", sandbox.Interface)
	s.metered(map[string]string{"yes": "metered", "no": "unmetered"}[word])
}

// wantBackup checks how many backups there are and what a file contains in the
// last one.
func (s *scene) wantBackup(file string, count int, content string) {
	s.Helper()
	snapshots, err := os.ReadDir(repository + "/snapshots")
	s.must(err)
	if len(snapshots) != count {
		s.Fatalf("there are %d backups, not %d", len(snapshots), count)
	}
	if got := s.restic("dump latest " + file); got != content {
		s.Errorf("%s is backed up with %q, not %q", file, got, content)
	}
}
