package systemdctl

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestEveryFolderIsARecipe(t *testing.T) {
	entries, err := recipes.ReadDir("recipes")
	if err != nil {
		t.Fatal(err)
	}
	var folders, names []string
	for _, entry := range entries {
		folders = append(folders, entry.Name())
	}
	for _, r := range Recipes() {
		names = append(names, r.Name)
	}
	slices.Sort(names)
	if !slices.Equal(folders, names) {
		t.Errorf("folders are %v, recipes %v", folders, names)
	}
}

func TestRecipesEnableInstallableUnitsAndDescribeThem(t *testing.T) {
	for _, r := range Recipes() {
		files, err := r.Files("/config")
		if err != nil {
			t.Fatal(err)
		}
		var installable []string
		for _, file := range files {
			if !strings.HasPrefix(string(file.Content), "# ") {
				t.Errorf("%s: %s does not begin with what it is for", r.Name, file.Path)
			}
			if strings.Contains(string(file.Content), "\n[Install]\n") {
				name := filepath.Base(file.Path)
				if file.IsOfQuadlet() {
					name = strings.TrimSuffix(name, ".container") + ".service"
				}
				installable = append(installable, name)
			}
		}
		var enabled []string
		for _, unit := range r.Enable {
			enabled = append(enabled, templateOf(unit))
		}
		slices.Sort(installable)
		slices.Sort(enabled)
		if enabled = slices.Compact(enabled); !slices.Equal(installable, enabled) {
			t.Errorf("%s enables %v, and its units with an [Install] are %v", r.Name, enabled, installable)
		}
	}
}

// templateOf returns the name of a unit's file: name@.service for
// name@instance.service.
func templateOf(unit string) string {
	prefix, _, isInstance := strings.Cut(unit, "@")
	if !isInstance {
		return unit
	}
	return prefix + "@" + filepath.Ext(unit)
}
