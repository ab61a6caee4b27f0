package observers

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// LongestUnitName is the longest name that a unit can have, with its suffix, in bytes
// (systemd.unit(5)).
const LongestUnitName = 255

// Template is a unit template without its instance: connection@ and .target.
type Template struct {
	Prefix, Suffix string
}

// Target returns the target for an instance.
func (t Template) Target(instance string) string { return t.Prefix + instance + t.Suffix }

// Pattern returns a pattern, as in glob(7), that the targets of all instances match.
func (t Template) Pattern() string { return t.Prefix + "*" + t.Suffix }

// Instance returns the instance that a target stands for, and reports whether it is
// one of the template's.
func (t Template) Instance(target string) (instance string, found bool) {
	instance, hasPrefix := strings.CutPrefix(target, t.Prefix)
	instance, hasSuffix := strings.CutSuffix(instance, t.Suffix)
	return instance, t.Prefix != "" && hasPrefix && hasSuffix && instance != ""
}

// words returns the words, in order, that a position has for the instances among
// targets.
func (t Template) words(targets []string) []string {
	var words []string
	for _, target := range targets {
		if instance, found := t.Instance(target); found {
			words = append(words, Word(instance))
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// reserved are the words that cannot be the word of an instance, because they mean
// something else as a position.
func reserved() []string { return []string{None, UnknownWord, "auto"} }

// Word returns the word that a position of a set has for an instance. It is the
// instance itself, unless that is a reserved word. Then it begins with a code
// instead of the first letter; [Escape] never writes a letter as a code, so the word
// is unique.
func Word(instance string) string {
	if slices.Contains(reserved(), instance) {
		return fmt.Sprintf(`\x%02x%s`, instance[0], instance[1:])
	}
	return instance
}

// Instances returns the instances that a position of a set consists of.
func Instances(position string) []string {
	if position == None {
		return nil
	}
	instances := strings.Fields(position)
	for i, word := range instances {
		if name, isEscaped := Unescape(word); !isEscaped && slices.Contains(reserved(), name) {
			instances[i] = name
		}
	}
	return instances
}

// Escape returns a name as an instance of a template, as systemd-escape(1) does: a
// / becomes a -; a -, a leading dot and each byte that unit names cannot have
// become \x and two hexadecimal digits.
//
// go-systemd's UnitNameEscape is wrong for this: it omits the 0 of \x0a.
func Escape(name string) string {
	const kept = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_."
	var instance strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case c == '/':
			instance.WriteByte('-')
		case i == 0 && c == '.', strings.IndexByte(kept, c) < 0:
			fmt.Fprintf(&instance, `\x%02x`, c)
		default:
			instance.WriteByte(c)
		}
	}
	return instance.String()
}

// Unescape returns the name of an instance, as systemd-escape --unescape does. It
// reports whether [Escape] turns the name back into that instance.
func Unescape(instance string) (name string, isEscaped bool) {
	var read []byte
	for i := 0; i < len(instance); i++ {
		c := instance[i]
		if c == '-' {
			c = '/'
		} else if rest, isCode := strings.CutPrefix(instance[i:], `\x`); isCode && len(rest) >= 2 {
			if code, err := strconv.ParseUint(rest[:2], 16, 8); err == nil {
				c = byte(code)
				i += len(`\x00`) - 1
			}
		}
		read = append(read, c)
	}
	return string(read), Escape(string(read)) == instance
}

// fits reports whether the target for an instance has a name that systemd accepts.
func (t Template) fits(instance string) bool {
	return instance != "" && len(t.Target(instance)) <= LongestUnitName
}

// canonical returns a position of a switch with each word once and in order, or an
// error that says what is wrong with it.
func (t Template) canonical(name, position string) (string, error) {
	if position == None {
		return None, nil
	}
	instances := Instances(position)
	if len(instances) == 0 {
		return Unknown, fmt.Errorf("the %s has no position %q; accepted are %s and names as systemd-escape(1) makes them, separated by blanks", name, position, None)
	}
	var targets []string
	for _, instance := range instances {
		if !t.fits(instance) || strings.ContainsFunc(instance, isNoUnitNameCharacter) {
			made := "systemd-escape(1) turns a name into one that can"
			if escaped := Escape(position); t.fits(escaped) {
				made = "as one name, systemd-escape(1) writes it as " + escaped
			}
			return Unknown, fmt.Errorf("the %s has no position %q: %q cannot be part of a unit's name; %s", name, position, instance, made)
		}
		targets = append(targets, t.Target(instance))
	}
	return strings.Join(t.words(targets), " "), nil
}

// isNoUnitNameCharacter reports whether a character cannot be in unit names
// (systemd.unit(5)).
func isNoUnitNameCharacter(r rune) bool {
	const allowed = `abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\@`
	return !strings.ContainsRune(allowed, r)
}
