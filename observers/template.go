package observers

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// longestUnitName is how long a unit's name may be, in bytes (systemd.unit(5)).
const longestUnitName = 255

// Template is a unit template without its instance: connection@ and .target.
type Template struct {
	Prefix, Suffix string
}

// Target returns the target of an instance.
func (t Template) Target(instance string) string { return t.Prefix + instance + t.Suffix }

// Pattern matches the names of all instances, for glob(7).
func (t Template) Pattern() string { return t.Prefix + "*" + t.Suffix }

// Instance returns the instance that a target is of.
func (t Template) Instance(target string) (instance string, found bool) {
	instance, hasPrefix := strings.CutPrefix(target, t.Prefix)
	instance, hasSuffix := strings.CutSuffix(instance, t.Suffix)
	return instance, t.Prefix != "" && hasPrefix && hasSuffix && instance != ""
}

// words returns how a position writes the instances among targets, in order.
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

// reserved are words that stand for something else where a position is written.
func reserved() []string { return []string{None, UnknownWord, "auto"} }

// Word returns how a position of a set writes an instance: as it is, but for
// words that mean something else there. Those begin with a code, which [Escape]
// never makes of a letter.
func Word(instance string) string {
	if slices.Contains(reserved(), instance) {
		return fmt.Sprintf(`\x%02x%s`, instance[0], instance[1:])
	}
	return instance
}

// Instances returns the instances that a position of a set is made of.
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

// Escape writes a name as an instance of a template, as systemd-escape(1) does:
// a / becomes a -, and each byte that is not in units' names, a - and a leading
// dot become \x and two hexadecimal digits.
//
// Not go-systemd's UnitNameEscape: it leaves the 0 of \x0a out.
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

// Unescape reads a name from an instance, as systemd-escape --unescape does. It
// tells whether [Escape] makes that instance of the name.
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

// fits tells whether an instance makes a unit's name that systemd takes.
func (t Template) fits(instance string) bool {
	return instance != "" && len(t.Target(instance)) <= longestUnitName
}

// accepts tells what is wrong with a position of the switch of that name.
func (t Template) accepts(name, position string) error {
	instances := strings.Fields(position)
	if len(instances) == 0 {
		return fmt.Errorf("the %s is never %q; it is %s, or names as systemd-escape(1) makes them, with blanks between", name, position, None)
	}
	for _, instance := range instances {
		if !t.fits(instance) || strings.ContainsFunc(instance, isNoUnitNameCharacter) {
			made := "one"
			if escaped := Escape(position); t.fits(escaped) {
				made = escaped + " of a whole name"
			}
			return fmt.Errorf("the %s is never %q: %q is no part of a unit's name; systemd-escape(1) makes %s", name, position, instance, made)
		}
	}
	return nil
}

// isNoUnitNameCharacter tells what is in no unit's name (systemd.unit(5)).
func isNoUnitNameCharacter(r rune) bool {
	const allowed = `abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\@`
	return !strings.ContainsRune(allowed, r)
}
