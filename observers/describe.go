package observers

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Describe puts the source's facts into words, under names that people know:
// NetworkManager.Connectivity, or logind.session._31.LockedHint. If there are no
// facts, it says why under the label of the source. It does not mention a service
// that runs but is not asked.
func (s Source) Describe(facts Facts) map[string]string {
	words := map[string]string{}
	if facts.Problem != "" && (s.Startable || facts.Problem != s.Label+" "+notAsked) {
		words[s.Label] = strings.TrimPrefix(facts.Problem, s.Label+" ")
	}
	facts.describe(s.Label, s.Label, words)
	return words
}

// describe adds the words for an object and for the objects that it names. The
// name of each of those is the last two elements of its path, whichever object
// names it.
func (f Facts) describe(label, name string, words map[string]string) {
	for property, value := range f.values {
		words[name+"."+property] = f.word(property, value)
	}
	for _, child := range f.children {
		dir, number := path.Split(string(child.Path))
		child.describe(label, label+"."+path.Base(dir)+"."+number, words)
	}
}

func (f Facts) word(property string, value any) string {
	if number, ok := value.(uint32); ok && f.kind != nil && f.kind.Words[property] != nil {
		return f.kind.Words[property](number)
	}
	return legible(fmt.Sprint(value))
}

// legible returns text from others in a form that takes one line and cannot
// control a terminal.
func legible(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}
