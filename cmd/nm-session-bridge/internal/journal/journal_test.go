package journal

import (
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// logged logs one line of each level to a file and returns what is in it.
func logged(t *testing.T, journal bool) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	stream := "1:1"
	if journal {
		var stat syscall.Stat_t
		if err := syscall.Fstat(int(file.Fd()), &stat); err != nil {
			t.Fatal(err)
		}
		stream = strconv.FormatUint(stat.Dev, 10) + ":" + strconv.FormatUint(stat.Ino, 10)
	}
	t.Setenv("JOURNAL_STREAM", stream)
	log := New(file).With("switch", "lid")
	log.Debug("d")
	log.Info("i", slog.Group("g", "time", 1))
	log.Warn("w")
	log.Error("e", "error", "two\nlines")
	content, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestTheJournalGetsPriorities(t *testing.T) {
	want := "<6>msg=i switch=lid g.time=1\n<4>msg=w switch=lid\n<3>msg=e switch=lid error=\"two\\nlines\"\n"
	if got := logged(t, true); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestAPersonGetsTimeAndLevel(t *testing.T) {
	got := logged(t, false)
	if !strings.Contains(got, "level=WARN msg=w switch=lid\n") || !strings.HasPrefix(got, "time=") || strings.Contains(got, "<4>") {
		t.Errorf("got\n%s", got)
	}
}
