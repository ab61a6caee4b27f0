package installer

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

func TestBlanksAreFilledAsUnitsWriteWords(t *testing.T) {
	f := Filling{recipe: systemdctl.Recipe{Blanks: []systemdctl.Blank{
		{Name: "PROFILE", IsProfile: true, MayRepeat: true}, {Name: "HOST"},
	}}, words: map[string][]string{}}
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

func TestWhatNoUnitCanHoldIsRefused(t *testing.T) {
	longest := strings.Repeat("a", 255-len("connection@.target"))
	for _, test := range []struct {
		recipe, setting, says string
	}{
		{"home", "PROFILE=" + longest, ""},
		{"home", "PROFILE=" + longest + "a", "too long"},
		{"away", "PROFILE=" + longest, "too long"}, // its units have longer names than the target
		{"away", "REMOTE=caf\xe9", "not UTF-8"},
		{"home", "PROFILE=caf\xe9", ""}, // which is escaped
		{"drive", "REMOTE=a\nb", "control characters"},
		{"drive", "remote=a", "did you mean REMOTE? It has REMOTE"},
	} {
		recipe, err := FindRecipe(test.recipe)
		if err != nil {
			t.Fatal(err)
		}
		err = Filling{recipe: recipe, words: map[string][]string{}}.set(test.setting)
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s with %q: %v", test.recipe, test.setting, err)
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
