package origin

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// machine has a program that runs, and its unit.
type machine struct {
	*testing.T
	path, running, unit string
	file                *File
}

func begin(t *testing.T) *machine {
	t.Helper()
	dir := t.TempDir()
	m := &machine{T: t, path: filepath.Join(dir, "bin/bridge"), running: filepath.Join(dir, "running"), unit: filepath.Join(dir, "units/bridge.service")}
	m.write(m.path, "version 1")
	m.write(m.unit, "[Service]")
	m.do(os.Link(m.path, m.running)) // as /proc/self/exe, it still leads to the file when the name is gone
	m.file = newFile(m.path, m.running)
	return m
}

func (m *machine) do(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

// write replaces a file as dpkg, rpm and install do.
func (m *machine) write(path, content string) {
	m.Helper()
	m.do(os.MkdirAll(filepath.Dir(path), 0o755))
	m.do(os.WriteFile(path+".new", []byte(content), 0o755))
	m.do(os.Rename(path+".new", path))
}

// expect looks a few times.
func (m *machine) expect(want ...error) {
	m.Helper()
	unitFile := func(context.Context) (string, error) { return m.unit, nil }
	for i, want := range want {
		if got := m.file.news(context.Background(), unitFile); !errors.Is(got, want) {
			m.Errorf("look %d: %v, not %v", i+1, got, want)
		}
	}
}

func TestAnUntouchedFileIsNoNews(t *testing.T) {
	m := begin(t)
	m.expect(nil, nil, nil)
}

func TestAReplacedProgramIsNewsOnceItIsSeenTwice(t *testing.T) {
	m := begin(t)
	m.expect(nil)
	m.write(m.path, "version 2")
	m.expect(nil, ErrReplaced, ErrReplaced)
	m.write(m.path, "version 3")
	m.expect(nil, ErrReplaced)
	m.write(m.path, "version 1")
	m.expect(nil, nil)
}

func TestTheSameProgramAgainIsNoNews(t *testing.T) {
	m := begin(t)
	m.write(m.path, "version 1")
	m.expect(nil, nil, nil)
	m.write(m.path, "version 2")
	m.expect(nil, ErrReplaced)
}

func TestAProgramThatIsBeingWrittenIsNoNews(t *testing.T) {
	m := begin(t)
	m.do(os.Remove(m.path)) // as pacman does, and a person with rm and cp
	m.do(os.Remove(m.unit))
	m.expect(nil)
	file, err := os.OpenFile(m.path, os.O_CREATE|os.O_WRONLY, 0o755)
	m.do(err)
	defer file.Close()
	for range 3 {
		_, err := file.WriteString("part of version 2")
		m.do(err)
		m.expect(nil)
	}
	m.expect(ErrReplaced)
}

func TestARemovedProgramIsNewsOnceItsUnitIsGoneToo(t *testing.T) {
	m := begin(t)
	m.do(os.Remove(m.path))
	m.expect(nil, nil, nil)
	m.do(os.Remove(m.unit))
	m.expect(ErrRemoved, ErrRemoved)
	m.write(m.path, "version 1")
	m.expect(nil, nil)
	m.do(os.Remove(m.path))
	m.unit = "" // as it is once the manager has read all units again
	m.expect(nil, ErrRemoved)
}

func TestAProgramOutOfReachIsNotRemoved(t *testing.T) {
	for name, hide := range map[string]func(*machine){
		"a home that is no longer mounted": func(m *machine) {
			m.do(os.RemoveAll(filepath.Dir(m.path)))
			m.do(os.RemoveAll(filepath.Dir(m.unit)))
		},
		"a link that leads nowhere": func(m *machine) {
			m.do(os.Remove(m.path))
			m.do(os.Symlink("/nowhere/bridge", m.path))
			m.do(os.Remove(m.unit))
		},
		"no program": func(m *machine) {
			m.do(os.Remove(m.path))
			m.do(os.Mkdir(m.path, 0o755))
			m.do(os.Remove(m.unit))
		},
		"a program that may not be executed": func(m *machine) {
			m.write(m.path, "version 2")
			m.do(os.Chmod(m.path, 0o644))
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := begin(t)
			hide(m)
			m.expect(nil, nil, nil)
		})
	}
}

func TestALinkThatLeadsToAnotherVersionIsNews(t *testing.T) {
	m := begin(t)
	link := filepath.Join(filepath.Dir(m.path), "link")
	m.do(os.Symlink(m.path, link))
	m.file = newFile(link, m.running)
	m.expect(nil)
	m.write(m.path+"-2", "version 2")
	m.do(os.Remove(link))
	m.do(os.Symlink(m.path+"-2", link))
	m.expect(nil, ErrReplaced)
}

func TestThisProgramKnowsItsFile(t *testing.T) {
	file, err := Started()
	if err != nil {
		t.Fatal(err)
	}
	if found := file.look(); found.fate != unchanged || file.known == nil {
		t.Errorf("%s is %v, known as %v", file.path, found.fate, file.known)
	}
}

func TestWatchLooksWhenItIsAskedTo(t *testing.T) {
	m := begin(t)
	ctx, cancel := context.WithCancel(context.Background())
	ticks, ended := make(chan struct{}), make(chan struct{})
	news := make(chan error, 4) // one for each tick: the first may already see what is written after it
	go func() {
		defer close(ended)
		m.file.Watch(ctx, ticks, func(context.Context) (string, error) { return m.unit, nil }, news)
	}()
	ticks <- struct{}{}
	m.write(m.path, "version 2")
	ticks <- struct{}{}
	ticks <- struct{}{}
	if got := <-news; !errors.Is(got, ErrReplaced) {
		t.Errorf("the news are %v", got)
	}
	ticks <- struct{}{}
	cancel()
	<-ended
}
