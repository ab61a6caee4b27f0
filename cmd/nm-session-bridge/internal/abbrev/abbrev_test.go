package abbrev

import (
	"strings"
	"testing"
	"time"
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

func TestDurationsInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                                "0 s",
		time.Millisecond:                 "under 1 s",
		1500 * time.Millisecond:          "2 s",
		59*time.Minute + 59*time.Second:  "59 min 59 s",
		time.Hour:                        "1 h",
		5*time.Hour + 12*time.Minute + 1: "5 h 12 min",
		49*time.Hour + 59*time.Second:    "2 d 1 h",
	} {
		if got := Duration(d); got != want {
			t.Errorf("%v is %q, not %q", d, got, want)
		}
	}
}
