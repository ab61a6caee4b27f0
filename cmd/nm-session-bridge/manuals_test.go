package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/client"
	"github.com/nm-session-bridge/nm-session-bridge/observers"
)

// What is written by hand has every switch, with each of its positions and targets.
func TestWhatIsWrittenNamesEverySwitch(t *testing.T) {
	table := observers.Table()
	var properties []string
	for _, name := range table.Names() {
		properties = append(properties, client.PropertyOf(name))
	}
	wanted := map[string][]string{
		"dist/nm-session-bridge.1":      {".Cm " + strings.Join(table.Names(), " , ") + " .\n"},
		"dist/nm-session-bridge.dbus.5": {".It Va " + strings.Join(properties, " , ") + " No (s)\n"},
	}
	want := func(file, words string) { wanted[file] = append(wanted[file], words) }
	for i, one := range table {
		want("dist/org.nmsessionbridge.Bridge1.xml", `<property name="`+properties[i]+`" type="s" access="read"/>`)
		want("../../README.md", "\n| `"+one.Name+"` | ")
		for _, position := range one.PositionNames() {
			want("dist/nm-session-bridge.dbus.5", "Do "+position+" Dc")
		}
	}
	for _, target := range table.Targets() {
		want("dist/nm-session-bridge.targets.7", "Li "+target)
		want("../../README.md", "`"+target+"`")
		want("../../CHANGELOG.md", "`"+target+"`")
	}
	for file, words := range wanted {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if missing := slices.DeleteFunc(words, func(one string) bool { return strings.Contains(string(content), one) }); len(missing) > 0 {
			t.Errorf("%s lacks %q", file, missing)
		}
	}
}
