package installer

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

func TestBlanksAreFilledAsUnitsWriteWords(t *testing.T) {
	f := Filling{systemdctl.Recipe{Blanks: []systemdctl.Blank{
		{Name: "PROFILE", IsProfile: true, MayRepeat: true}, {Name: "HOST"},
	}}, map[string][]string{}}
	for _, setting := range []string{"PROFILE=Home Wifi", "PROFILE=a=b<HOST>", `HOST=50% of "$HOME"; <PROFILE>`} {
		if err := f.set(setting); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string]string{
		"WantedBy=connection@<PROFILE>.target b.target": `WantedBy=connection@Home\x20Wifi.target connection@a\x3db\x3cHOST\x3e.target b.target`,
		"ExecStart=ssh --to=<HOST> x":                   `ExecStart=ssh --to="50%% of \"$$HOME\"; <PROFILE>" x`,
		"# a <b>, <- and ->":                            "# a <b>, <- and ->",
	} {
		if got := f.fill(text); got != want {
			t.Errorf("%s became %s, not %s", text, got, want)
		}
	}
}

// A word of two blanks would be repeated for one of them alone.
func TestEveryBlankOfARecipeIsDescribedAndUsed(t *testing.T) {
	for _, r := range systemdctl.Recipes() {
		files, err := r.Files("")
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(r.Enable, "\n")
		for _, file := range files {
			text += "\n" + string(file.Content)
		}
		var used []string
		for line := range strings.Lines(text) {
			for _, word := range strings.Fields(line) {
				blanks := regexp.MustCompile("<([A-Z]+)>").FindAllStringSubmatch(word, -1)
				if len(blanks) > 1 {
					t.Errorf("%s: %s has %d blanks", r.Name, word, len(blanks))
				}
				for _, blank := range blanks {
					i := slices.IndexFunc(r.Blanks, func(b systemdctl.Blank) bool { return b.Name == blank[1] })
					if i < 0 {
						t.Fatalf("%s: nothing describes %s", r.Name, blank[0])
					}
					if !r.Blanks[i].IsProfile && !strings.HasPrefix(line, "Exec") {
						t.Errorf("%s: %s is not in a command line: %s", r.Name, blank[0], line)
					}
					used = append(used, blank[1])
				}
			}
		}
		for _, blank := range r.Blanks {
			if !slices.Contains(used, blank.Name) {
				t.Errorf("%s: nothing uses %s", r.Name, blank.Name)
			}
		}
	}
}
