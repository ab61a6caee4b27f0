package installer

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

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
	filling := Filling{recipe, settings, map[string][]string{}}
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
	recipe   systemdctl.Recipe
	settings []string            // as the user gave them
	words    map[string][]string // by the blank's name, as units write them
}

// arguments are those of the command line.
func (f Filling) arguments() string {
	line := "recipe add " + f.recipe.Name
	for _, setting := range f.settings {
		line += " --set " + systemdctl.Quote(setting)
	}
	return line
}

func (f Filling) set(setting string) error {
	name, value, isPair := strings.Cut(setting, "=")
	blanks := blankNames(f.recipe)
	i := slices.Index(blanks, name)
	switch {
	case len(blanks) == 0:
		return fmt.Errorf("recipe %s has nothing to set", f.recipe.Name)
	case i < 0:
		all := strings.Join(blanks, ", ")
		if meant, found := suggest.Name(name, blanks); found {
			return fmt.Errorf("recipe %s has no %q to set, did you mean %s? It has %s", f.recipe.Name, name, meant, all)
		}
		return fmt.Errorf("recipe %s has no %q to set; it has %s", f.recipe.Name, name, all)
	case !isPair || value == "":
		return fmt.Errorf("--set %s needs a value: %s=…", name, name)
	case strings.ContainsFunc(value, unicode.IsControl):
		return fmt.Errorf("--set %s=%q: units cannot contain control characters", name, value)
	case len(f.words[name]) > 0 && !f.recipe.Blanks[i].MayRepeat:
		return fmt.Errorf("--set %s is given twice", name)
	}
	if !f.recipe.Blanks[i].IsProfile {
		if !utf8.ValidString(value) {
			return fmt.Errorf("--set %s=%q: it is not UTF-8, the encoding of units", name, value)
		}
		f.words[name] = append(f.words[name], argument(value))
		return nil
	}
	word := observers.Escape(value)
	f.words[name] = append(f.words[name], word)
	connection, _ := observers.Table().Named("connection")
	for _, unit := range append(f.fillAll(f.recipe.Enable), connection.Template.Target(word)) {
		if len(unit) > observers.LongestUnitName {
			return fmt.Errorf("--set %s: %q is too long for a unit's name", name, value)
		}
	}
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
