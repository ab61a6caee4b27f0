package installer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	systemd "github.com/coreos/go-systemd/v22/dbus"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/self"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/suggest"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// unitPath is where systemd looks for a program that a unit names without a directory
// (systemd.service(5), "Command lines"). The user's $PATH plays no part in it.
const unitPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// RecipeNames returns the names of all recipes, in their order.
func RecipeNames() []string {
	var names []string
	for _, r := range systemdctl.Recipes() {
		names = append(names, r.Name)
	}
	return names
}

// FindRecipe returns the recipe with a name. The error names all recipes.
func FindRecipe(name string) (systemdctl.Recipe, error) {
	for _, r := range systemdctl.Recipes() {
		if r.Name == name {
			return r, nil
		}
	}
	all := strings.Join(RecipeNames(), ", ")
	if meant, found := suggest.Name(name, RecipeNames()); found {
		return systemdctl.Recipe{}, fmt.Errorf("no recipe is called %q, did you mean %s? Recipes are %s", name, meant, all)
	}
	return systemdctl.Recipe{}, fmt.Errorf("no recipe is called %q; recipes are %s", name, all)
}

// ListRecipes prints a line for each recipe.
func ListRecipes(w io.Writer) {
	width := 0
	for _, name := range RecipeNames() {
		width = max(width, len(name))
	}
	for _, r := range systemdctl.Recipes() {
		fmt.Fprintf(w, "%-*s  %s\n", width, r.Name, r.Summary)
	}
}

// ShowRecipe prints a recipe's files under their paths, as systemctl cat does.
func ShowRecipe(w io.Writer, name string) error {
	recipe, err := FindRecipe(name)
	if err != nil {
		return err
	}
	files, _, err := recipeFiles(recipe)
	if err != nil {
		return err
	}
	for i, file := range files {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "# %s\n\n%s", file.Path, file.Content)
	}
	return nil
}

// AddRecipe writes a recipe's units and prints what is left to do. It never replaces a file
// that differs.
func AddRecipe(ctx context.Context, w io.Writer, filling Filling) error {
	r := filling.recipe
	files, p, err := recipeFiles(r)
	if err != nil {
		return err
	}
	for i := range files {
		files[i].Content = []byte(filling.fill(string(files[i].Content)))
	}
	enable := filling.fillAll(r.Enable)
	manager, keep, err := connect(ctx)
	if err != nil {
		return err
	}
	defer manager.Close()
	o, err := outlookOf(manager)
	if err == nil {
		err = o.checkHome(p.home, filling.arguments())
	}
	if err == nil {
		err = o.checkUnits(p.ownUnits(), "XDG_CONFIG_HOME", filling.arguments())
	}
	if err != nil {
		return err
	}
	if !keep() {
		return ctx.Err()
	}
	written, err := systemdctl.WriteNew(files)
	for _, file := range files {
		if slices.Contains(written, file.Path) {
			fmt.Fprintf(w, "wrote %s\n", file.Path)
		} else if err == nil {
			fmt.Fprintf(w, "already there: %s\n", file.Path)
		}
	}
	if err == nil || len(written) > 0 {
		err = systemdctl.ReloadAfter(ctx, manager, err)
	}
	var taken *systemdctl.TakenError
	if errors.As(err, &taken) {
		return fmt.Errorf("%w; compare it with %s recipe show %s", err, self.Command(), r.Name)
	}
	if err != nil {
		return err
	}
	next := "next"
	for _, program := range r.Programs {
		if reportMissing(w, unitPath, program) {
			next = "next, after that"
		}
	}
	bridge, err := property[string](ctx, manager, "Unit", "LoadState")
	if err != nil {
		return err
	}
	if bridge == "not-found" {
		fmt.Fprintf(w, "the targets are missing: %s install --now\n", self.Command())
	}
	now, err := canStart(ctx, manager, enable)
	if err != nil {
		return err
	}
	for i, unit := range enable {
		enable[i] = systemdctl.Quote(unit)
	}
	fmt.Fprintf(w, "%s: %s\n", next, enableCommand(files, enable, now))
	return nil
}

// enableCommand returns the command that enables a recipe's units, and starts them if now is true.
func enableCommand(files []systemdctl.File, units []string, now bool) string {
	generated := slices.ContainsFunc(files, systemdctl.File.IsOfQuadlet)
	words := strings.Join(units, " ")
	switch {
	case generated && now:
		return "systemctl --user daemon-reload && systemctl --user start " + words
	case generated:
		return "systemctl --user daemon-reload"
	case now:
		return "systemctl --user enable --now " + words
	}
	return "systemctl --user enable " + words
}

func recipeFiles(recipe systemdctl.Recipe) ([]systemdctl.File, places, error) {
	p, err := userPlaces()
	if err != nil {
		return nil, p, err
	}
	files, err := recipe.Files(p.config)
	return files, p, err
}

// reportMissing says what to do first about a program that is not in systemd's search
// path, and reports whether that is so.
func reportMissing(w io.Writer, searchPath string, program systemdctl.Program) bool {
	for _, dir := range filepath.SplitList(searchPath) {
		if isProgram(filepath.Join(dir, program.Name)) {
			return false
		}
	}
	if elsewhere, err := exec.LookPath(program.Name); err == nil {
		fmt.Fprintf(w, "missing %s where systemd looks; first write ExecStart=%s into the unit\n", program.Name, unitWord(elsewhere))
		return true
	}
	fmt.Fprintf(w, "missing %s; install it first, on Debian: sudo apt install %s\n", program.Name, program.Package)
	return true
}

// unitWord quotes a word for a command line in a unit, if necessary (systemd.service(5),
// "Command lines"; systemd.unit(5), "Specifiers").
func unitWord(word string) string {
	word = strings.ReplaceAll(word, "%", "%%")
	if !strings.ContainsAny(word, " \t\"'\\$;") {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// canStart reports whether the units' targets would start them now: everything in their
// Requisite= is active or is one of them. A unit that stops when nothing needs it
// (StopWhenUnneeded=) has one of its targets active instead. Other units, such as alerts,
// start the next time their target is reached.
func canStart(ctx context.Context, manager *systemd.Conn, units []string) (bool, error) {
	requires := false
	for _, unit := range units {
		required, err := othersOf(ctx, manager, unit, "Requisite", units)
		if err != nil || slices.ContainsFunc(required, isNotActive) {
			return false, err
		}
		stops, err := manager.GetUnitPropertyContext(ctx, unit, "StopWhenUnneeded")
		if err != nil {
			return false, fmt.Errorf("cannot read StopWhenUnneeded of %s: %w", unit, err)
		}
		requires = requires || len(required) > 0
		if stops.Value.Value() != true {
			continue
		}
		targets, err := othersOf(ctx, manager, unit, "After", units)
		if err != nil || !slices.ContainsFunc(targets, func(s systemd.UnitStatus) bool { return !isNotActive(s) }) {
			return false, err
		}
		requires = true
	}
	return requires, nil
}

func isNotActive(s systemd.UnitStatus) bool { return s.ActiveState != "active" }

// othersOf returns the states of the units in a property of a unit, without the recipe's
// own.
func othersOf(ctx context.Context, manager *systemd.Conn, unit, property string, own []string) ([]systemd.UnitStatus, error) {
	p, err := manager.GetUnitPropertyContext(ctx, unit, property)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s of %s: %w", property, unit, err)
	}
	var names []string
	if err := p.Value.Store(&names); err != nil {
		return nil, fmt.Errorf("cannot read %s of %s: %w", property, unit, err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(own, name) })
	if len(names) == 0 {
		return nil, nil
	}
	states, err := manager.ListUnitsByNamesContext(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("cannot read the states of %s: %w", strings.Join(names, ", "), err)
	}
	return states, nil
}
