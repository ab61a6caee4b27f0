package scenes

import "testing"

// lidUnits run whenever the lid has moved.
func lidUnits() map[string]string {
	return map[string]string{"closed.service": once(lidClosed), "opened.service": once(lidOpen)}
}

// closeAndOpen closes and opens an open lid twice, and checks what started.
func (s *scene) closeAndOpen() {
	s.Helper()
	s.record()
	for range 2 {
		s.move("closed")
		s.lid(lidClosed)
		s.move("open")
		s.lid(lidOpen)
	}
	s.starts(map[string]int{"closed.service": 2, "opened.service": 2, lidClosed: 2, lidOpen: 2})
}

func TestLid(t *testing.T) {
	s := beginOpen(t)
	s.enable(lidUnits())
	s.install()
	s.lid(lidOpen)
	source := "the lid is read from UPower"
	if s.signalsLid() {
		source = "the lid is read from logind"
	}
	s.waitLog(source)
	s.closeAndOpen()
}

func TestLidWithoutUPower(t *testing.T) {
	onOneLaptop(t)
	s := beginOpen(t)
	s.root("systemctl mask --now upower.service")
	s.afterwards("systemctl unmask upower.service")
	s.enable(lidUnits())
	s.install()
	s.lid(lidOpen)
	source := "the lid is read by polling logind"
	if s.signalsLid() {
		source = "the lid is read from logind"
	}
	s.waitLog(source)
	s.closeAndOpen()
}
