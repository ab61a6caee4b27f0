package abbrev

import (
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	for list, want := range map[string]string{
		"":                               "",
		"home":                           "home",
		"home work":                      "home work",
		strings.Repeat("a ", 1000):       strings.Repeat("a ", 50) + "and 950 more",
		strings.Repeat("ab", 110) + " c": strings.Repeat("ab", 100) + "… and 1 more",
		strings.Repeat("ab", 110):        strings.Repeat("ab", 100) + "…",
		strings.Repeat(" ", 110):         "",
	} {
		if got := Words(list); got != want {
			t.Errorf("%q became %q, not %q", list, got, want)
		}
	}
}

func TestText(t *testing.T) {
	if got := Text(strings.Repeat("é", 100)); got != strings.Repeat("é", 100) {
		t.Errorf("what fits became %q", got)
	}
	if got := Text("a" + strings.Repeat("é", 110)); got != "a"+strings.Repeat("é", 99)+"…" {
		t.Errorf("a letter was cut: %q", got)
	}
}
