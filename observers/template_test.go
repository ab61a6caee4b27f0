package observers

import (
	"strings"
	"testing"
)

// systemd-escape of systemd 252 printed the values.
func TestAPositionThatCannotBeAUnitNameIsEscapedForTheUser(t *testing.T) {
	table := Table()
	connection := table[len(table)-1]
	for position, want := range map[string]string{
		"home":                    "",
		`B\xc3\xbcro home`:        "",
		"Büro Süd":                `"Büro" cannot be part of a unit's name; as one name, systemd-escape(1) writes it as B\xc3\xbcro\x20S\xc3\xbcd`,
		strings.Repeat("ü", 1000): "systemd-escape(1) turns a name into one that can",
	} {
		got := ""
		if _, err := connection.Canonical(position); err != nil {
			got = err.Error()
		}
		if !strings.HasSuffix(got, want) || want == "" && got != "" {
			t.Errorf("%q: %s", position, got)
		}
	}
}

func TestAPositionIsOneListOfWordsInOrder(t *testing.T) {
	table := Table()
	connection, _ := table.Named("connection")
	for position, want := range map[string]string{
		"none":              "none",
		"home":              "home",
		"work home work":    "home work",
		"home\nlid closed":  "closed home lid",
		"\t home \r\n":      "home",
		`\x6eone home`:      `\x6eone home`,
		"unknown auto none": `\x61uto \x6eone \x75nknown`,
	} {
		got, err := connection.Canonical(position)
		again, errAgain := connection.Canonical(got)
		if got != want || err != nil || again != want || errAgain != nil {
			t.Errorf("%q is written as %q (%v) and that as %q (%v), not as %q", position, got, err, again, errAgain, want)
		}
	}
	lid, _ := table.Named("lid")
	for _, position := range []string{"open ", "OPEN", "", "open\n", "unknown", "auto", "off"} {
		if got, err := lid.Canonical(position); err == nil {
			t.Errorf("the lid takes %q as %q", position, got)
		}
	}
}

func TestEscape(t *testing.T) {
	for name, want := range map[string]string{
		"Home Wifi": `Home\x20Wifi`,
		".a.b":      `\x2ea.b`,
		"/a//b-c":   `-a--b\x2dc`,
		"\n\t\x01é": `\x0a\x09\x01\xc3\xa9`,
		`a\b@c:d_e`: `a\x5cb\x40c:d_e`,
	} {
		if got := Escape(name); got != want {
			t.Errorf("%q is %s, not %s", name, got, want)
		}
		if got, isEscaped := Unescape(want); got != name || !isEscaped {
			t.Errorf("%s is read as %q, %v", want, got, isEscaped)
		}
	}
	for instance, want := range map[string]string{"Home Wifi": "Home Wifi", `a\x2Db`: "a-b", `a\x2`: `a\x2`, `a\xzz`: `a\xzz`, "é": "é"} {
		if got, isEscaped := Unescape(instance); got != want || isEscaped {
			t.Errorf("%s is read as %q, %v", instance, got, isEscaped)
		}
	}
}
