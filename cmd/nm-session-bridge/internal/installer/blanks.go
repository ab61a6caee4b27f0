package installer

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/suggest"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// Filled returns a recipe with its blanks filled in by settings such as "PROFILE=Home
// Wifi". The error names what is wrong or missing.
func Filled(name string, settings []string) (Filling, error) {
	recipe, err := FindRecipe(name)
	if err != nil {
		return Filling{}, err
	}
	filling := Filling{recipe, map[string][]string{}}
	for _, setting := range settings {
		if err := filling.set(setting); err != nil {
			return filling, err
		}
	}
	var missing []string
	for _, blank := range recipe.Blanks {
		if len(filling.words[blank.Name]) == 0 {
			missing = append(missing, fmt.Sprintf("--set %s=… (%s)", blank.Name, blank.Meaning))
		}
	}
	if len(missing) > 0 {
		return filling, fmt.Errorf("recipe %s needs %s", name, strings.Join(missing, " and "))
	}
	return filling, nil
}

// Filling is a recipe with the values of its blanks.
type Filling struct {
	recipe systemdctl.Recipe
	words  map[string][]string // by the blank's name, as units write them
}

func (f Filling) set(setting string) error {
	name, value, isPair := strings.Cut(setting, "=")
	blanks := blankNames(f.recipe)
	i := slices.Index(blanks, name)
	switch {
	case len(blanks) == 0:
		return fmt.Errorf("recipe %s has nothing to set", f.recipe.Name)
	case i < 0:
		text := fmt.Sprintf("recipe %s has no %q to set", f.recipe.Name, name)
		if meant, found := suggest.Name(name, blanks); found {
			text += ", did you mean " + meant + "?"
		}
		return fmt.Errorf("%s; it has %s", text, strings.Join(blanks, ", "))
	case !isPair || value == "":
		return fmt.Errorf("--set %s needs a value: %s=…", name, name)
	case strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Errorf("--set %s=%q: units cannot contain control characters", name, value)
	case len(f.words[name]) > 0 && !f.recipe.Blanks[i].MayRepeat:
		return fmt.Errorf("--set %s is given twice", name)
	}
	word := argument(value)
	if f.recipe.Blanks[i].IsProfile {
		word = observers.Escape(value)
		connection, _ := observers.Table().Named("connection")
		if _, err := connection.Canonical(observers.Word(word)); err != nil {
			return fmt.Errorf("--set %s: %q is too long for a unit's name", name, value)
		}
	}
	f.words[name] = append(f.words[name], word)
	return nil
}

// fill inserts the values. A word of the text that contains a blank is repeated for each
// value.
func (f Filling) fill(text string) string {
	blank := regexp.MustCompile(`([^\s=]*)<([A-Z]+)>(\S*)`)
	return blank.ReplaceAllStringFunc(text, func(found string) string {
		parts := blank.FindStringSubmatch(found)
		var all []string
		for _, word := range f.words[parts[2]] {
			all = append(all, parts[1]+word+parts[3])
		}
		return strings.Join(all, " ")
	})
}

func (f Filling) fillAll(texts []string) []string {
	var filled []string
	for _, text := range texts {
		filled = append(filled, strings.Fields(f.fill(text))...)
	}
	return filled
}

func blankNames(r systemdctl.Recipe) []string {
	var names []string
	for _, blank := range r.Blanks {
		names = append(names, blank.Name)
	}
	return names
}

// argument quotes an argument of a command line in a unit, in which $ introduces a
// variable (systemd.service(5), "Command lines").
func argument(word string) string { return strings.ReplaceAll(unitWord(word), "$", "$$") }
