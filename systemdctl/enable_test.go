package systemdctl

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// unitFiles is a manager that counts units as outdated as systemd 257 does:
// from a call that changes unit files until the next reload.
type unitFiles struct {
	calls    []string
	outdated bool
	refusal  error // of a change, which it has begun
	broken   error // of a reload
}

func (m *unitFiles) EnableUnitFilesContext(_ context.Context, files []string, _, _ bool) (bool, []systemd.EnableUnitFileChange, error) {
	m.calls = append(m.calls, "enable "+strings.Join(files, " "))
	m.outdated = true
	if m.refusal != nil {
		return false, nil, m.refusal
	}
	return true, []systemd.EnableUnitFileChange{{Type: "symlink"}}, nil
}

func (m *unitFiles) DisableUnitFilesContext(_ context.Context, files []string, _ bool) ([]systemd.DisableUnitFileChange, error) {
	m.calls = append(m.calls, "disable "+strings.Join(files, " "))
	m.outdated = true
	return nil, m.refusal
}

func (m *unitFiles) ReloadContext(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	m.calls = append(m.calls, "reload")
	m.outdated = m.broken != nil
	return m.broken
}

func TestNothingIsOutdatedAfterUnitFilesHaveChanged(t *testing.T) {
	gone := dbus.Error{Name: "org.freedesktop.systemd1.NoSuchUnit"}
	for _, test := range []struct {
		name            string
		refusal, broken error
		do              func(*unitFiles) error
		want            string
		calls           []string
	}{
		{name: "enable", do: enable, calls: []string{"enable x.service", "reload"}},
		{name: "enable, refused", refusal: gone, do: enable, want: gone.Name, calls: []string{"enable x.service", "reload"}},
		{name: "enable, unreadable", broken: io.EOF, do: enable, want: "EOF", calls: []string{"enable x.service", "reload"}},
		{name: "disable", do: disable, calls: []string{"disable x.service", "reload"}},
		{name: "disable, gone", refusal: gone, do: disable, calls: []string{"disable x.service", "reload"}},
		{name: "disable, lost", refusal: io.EOF, do: disable, want: "EOF", calls: []string{"disable x.service", "reload"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &unitFiles{refusal: test.refusal, broken: test.broken}
			err := test.do(m)
			if failed := test.want != ""; failed != (err != nil) || failed && !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("it returned %v, not %q", err, test.want)
			}
			if !slices.Equal(m.calls, test.calls) {
				t.Errorf("it asked for %q, not %q", m.calls, test.calls)
			}
			if m.outdated != (test.broken != nil) {
				t.Errorf("units are outdated: %v", m.outdated)
			}
		})
	}
}

func TestAnInterruptKeepsNothingOutdated(t *testing.T) {
	ctx, interrupt := context.WithCancel(context.Background())
	interrupt()
	m := &unitFiles{}
	if _, err := Enable(ctx, m, "x.service"); err != nil || m.outdated {
		t.Errorf("it returned %v, and units are outdated: %v", err, m.outdated)
	}
}

func enable(m *unitFiles) error {
	_, err := Enable(context.Background(), m, "x.service")
	return err
}

func disable(m *unitFiles) error {
	_, err := Disable(context.Background(), m, "x.service")
	return err
}
