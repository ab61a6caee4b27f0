package journal

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// reader is journald's end of the socket and of the stream.
type reader struct {
	*testing.T
	socket *net.UnixConn
	stream *os.File
	way    *journald
	log    *slog.Logger
}

// listen returns a reader that reads nothing by itself.
func listen(t *testing.T) reader {
	t.Helper()
	path := filepath.Join(t.TempDir(), "socket")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	stream, stderr := os.NewFile(uintptr(pair[0]), "stream"), os.NewFile(uintptr(pair[1]), "stderr")
	t.Cleanup(func() { stream.Close(); stderr.Close() })
	way := dial(path, stderr)
	return reader{t, socket, stream, way, slog.New(handler{to: way})}
}

// entry reads an entry of the socket.
func (r reader) entry() string {
	r.Helper()
	entry := make([]byte, 4096)
	n, err := r.socket.Read(entry)
	if err != nil {
		r.Fatal(err)
	}
	return string(entry[:n])
}

// lines reads everything in the stream.
func (r reader) lines() string {
	r.Helper()
	lines := make([]byte, 4096)
	n, err := r.stream.Read(lines)
	if err != nil {
		r.Fatal(err)
	}
	return string(lines[:n])
}

func TestATransitionIsASentenceWithFields(t *testing.T) {
	for result, said := range map[string]string{"": "", "superseded": ": superseded"} {
		r := listen(t)
		attributes := []any{
			"switch", "internet", "from", "online", "to", "portal", "reason", "Connectivity=Portal",
			"targets", "internet-offline.target internet-portal.target", "duration", 10180 * time.Microsecond,
		}
		fields := "SWITCH=internet\nFROM=online\nTO=portal\nREASON=Connectivity=Portal\n" +
			"TARGET=internet-offline.target\nTARGET=internet-portal.target\nDURATION_USEC=10180\n"
		if result != "" {
			attributes = append(attributes, "result", result)
			fields += "RESULT=" + result + "\n"
		}
		r.log.Info("internet is portal", attributes...)
		want := "MESSAGE=internet is portal: Connectivity=Portal; internet-offline.target and internet-portal.target after 10.18ms" + said +
			"\nPRIORITY=6\nSYSLOG_IDENTIFIER=nm-session-bridge\n" + fields
		if got := r.entry(); got != want {
			t.Errorf("got\n%swant\n%s", got, want)
		}
	}
}

func TestATransitionCountsTheTargetsThatItLeavesOut(t *testing.T) {
	r := listen(t)
	targets := strings.TrimSuffix(strings.Repeat("connection@office-floor.target ", 10), " ")
	r.log.Info("connection is many", "switch", "connection", "from", "none", "to", "many", "targets", targets, "duration", time.Second)
	shown := strings.Join(strings.Fields(targets)[:3], " and ")
	if got, _, _ := strings.Cut(r.entry(), "\n"); got != "MESSAGE=connection is many; "+shown+" and 7 more after 1s" {
		t.Errorf("got %s", got)
	}
}

func TestAttributesBecomeFieldsThatJournaldTakes(t *testing.T) {
	r := listen(t)
	log := r.log.With("lid", "open").WithGroup("g").With("a.b", 1)
	log.Debug("not wanted")
	log.Warn("w", slog.Group("h", "Ä-ß", "x y"), "_2fast", `"`, "?", "", strings.Repeat("x", 99), true, slog.Attr{}, "pause", time.Second)
	long := strings.Repeat("x", 99)
	want := `MESSAGE=w lid=open g.a.b=1 g.h.Ä-ß="x y" g._2fast="\"" g.?="" g.` + long + "=true g.pause=1s\n" +
		"PRIORITY=4\nSYSLOG_IDENTIFIER=nm-session-bridge\nLID=open\nG_A_B=1\nG_H____=x y\nG__2FAST=\"\nG__=\n" +
		"G_" + strings.ToUpper(long[:longestName-2]) + "=true\nG_PAUSE_USEC=1000000\n"
	if got := r.entry(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for key, want := range map[string]string{"_2fast": "FAST", "?": "", "12": "", "switch": "SWITCH"} {
		if got := fieldName(key); got != want {
			t.Errorf("the field of %q is %q, not %q", key, got, want)
		}
	}
}

func TestLoggersDoNotShareAttributes(t *testing.T) {
	r := listen(t)
	log := r.log.With("a", 1, "b", 2, "c", 3) // in a slice with room for a fourth
	one, other := log.With("d", "one"), log.With("d", "other")
	for said, log := range map[string]*slog.Logger{"one": one, "other": other} {
		log.Info("i")
		if got := r.entry(); !strings.Contains(got, "D="+said+"\n") {
			t.Errorf("of the logger of %q got\n%s", said, got)
		}
	}
}

func TestAFieldMayHaveLineBreaks(t *testing.T) {
	r := listen(t)
	r.log.Info("i", "error", "two\nlines")
	want := "MESSAGE=i error=\"two\\nlines\"\nPRIORITY=6\nSYSLOG_IDENTIFIER=nm-session-bridge\nERROR\n\x09\x00\x00\x00\x00\x00\x00\x00two\nlines\n"
	if got := r.entry(); got != want {
		t.Errorf("got\n%qwant\n%q", got, want)
	}
}

func TestTheStreamGetsErrorsAndWhatTheSocketDoesNotTake(t *testing.T) {
	r := listen(t)
	r.log.Error("e")
	if got, want := r.lines(), "<3>e\n"; got != want {
		t.Errorf("got %q, not %q", got, want)
	}
	r.log.Warn(strings.Repeat("too large ", 1<<15))
	if got := r.lines(); !strings.HasPrefix(got, "<4>too large ") {
		t.Errorf("got %q", got)
	}
}

func TestAJournalThatIsGoneAndBackGetsEntriesAgain(t *testing.T) {
	r := listen(t)
	address, ok := r.socket.LocalAddr().(*net.UnixAddr)
	if !ok {
		t.Fatal("the socket has no address")
	}
	r.socket.Close()
	_ = os.Remove(address.Name) // closing may have removed it
	r.log.Info("gone", "error", "two\nlines")
	if got, want := r.lines(), "<6>gone error=\"two\\nlines\"\n"; got != want {
		t.Errorf("got %q, not %q", got, want)
	}
	var err error
	r.socket, err = net.ListenUnixgram("unixgram", address)
	if err != nil {
		t.Fatal(err)
	}
	defer r.socket.Close()
	r.log.Info("back")
	if got := r.entry(); !strings.HasPrefix(got, "MESSAGE=back\n") {
		t.Errorf("got %q", got)
	}
}

func TestABusyJournalGetsFieldsAllTheSame(t *testing.T) {
	r := listen(t)
	r.way.patience = time.Minute // more than any machine is slow
	waiting := 0
	for unix.Sendto(r.way.socket, []byte("MESSAGE=earlier\n"), unix.MSG_DONTWAIT, r.way.path) == nil {
		waiting++
	}
	logged := make(chan struct{})
	go func() {
		r.log.Info("later")
		close(logged)
	}()
	for range waiting {
		if got := r.entry(); got != "MESSAGE=earlier\n" {
			t.Fatalf("got %q", got)
		}
	}
	<-logged
	if got := r.entry(); !strings.HasPrefix(got, "MESSAGE=later\n") {
		t.Errorf("got %q", got)
	}
}

// Without room or without a reader, nothing may wait and nothing may end the
// process.
func TestAJournalThatDoesNotReadHoldsNothingUp(t *testing.T) {
	r := listen(t)
	const more = 1 << 16 // than socket and stream have room for
	for i := range more {
		r.log.Info("i", "n", i)
	}
	if got := r.entry(); !strings.HasPrefix(got, "MESSAGE=i n=0\n") {
		t.Errorf("the socket's first entry is %q", got)
	}
	if got := r.lines(); !strings.HasPrefix(got, "<6>i n=") {
		t.Errorf("the stream begins with %q", got)
	}
	r.socket.Close()
	r.stream.Close()
	r.log.Info("into nothing")
}

func TestAPersonGetsTimeAndLevel(t *testing.T) {
	t.Setenv("JOURNAL_STREAM", "1:1")
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	New(file).With("switch", "lid").Warn("w")
	content, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	if got := string(content); !strings.Contains(got, "level=WARN msg=w switch=lid\n") || !strings.HasPrefix(got, "time=") {
		t.Errorf("got\n%s", got)
	}
}
