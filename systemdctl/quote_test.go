package systemdctl

import (
	"os/exec"
	"testing"
)

func TestAShellTakesAQuotedWordAsItIs(t *testing.T) {
	for _, word := range []string{
		"", "plain.service", "/home/my own/bin", `/home/o'brien`, `connection@Home\x20Wifi.target`, `it\x27s`,
		"$HOME", "`id`", "a;b", "*", "~", "#", "two\nlines", `"`, "Caf\u00e9", "-e", "a=b", "x!y",
	} {
		said, err := exec.Command("sh", "-c", "printf '%s' "+Quote(word)).Output()
		if err != nil || string(said) != word {
			t.Errorf("%q became %q: %v", word, said, err)
		}
	}
	if got := Operands("a b", "-M.service"); got != "-- 'a b' -M.service" {
		t.Errorf("a name that begins with a dash may be taken for an option: %s", got)
	}
	if got := Operands("a.service", "b-.service"); got != "a.service b-.service" {
		t.Errorf("names are told apart needlessly: %s", got)
	}
	for _, word := range []string{"connection@home.target", "/usr/bin/a-b_c+1", "PATH=/a:/b", "10%"} {
		if got := Quote(word); got != word {
			t.Errorf("%s was quoted needlessly: %s", word, got)
		}
	}
}
