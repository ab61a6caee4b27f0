package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	systemd "github.com/coreos/go-systemd/v22/dbus"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/near"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// unitPath is where systemd looks for a program that a unit names without a
// directory (systemd.service(5), "Command lines"), the user's own PATH or not.
const unitPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func recipeCommand() command {
	return command{
		name:     "recipe",
		operands: "list|show NAME|add NAME",
		summary:  "list, show and add example units to start from",
		notes: `"add" writes the units into ~/.config/systemd/user, where they are yours to change, and
never over a file that differs. It does not enable them, so that you can read them and
put in your own program or account first; it says the command that does.`,
		examples: []example{
			{"recipe list", "name the recipes"},
			{"recipe show mail", "print the units of one"},
			{"recipe add mail", "write them, and say which program is missing and what to type next"},
		},
		words: recipeWords,
		prepare: func(*flag.FlagSet) action {
			return func(ctx context.Context, out output, operands []string) error {
				return recipe(ctx, out.stdout, operands)
			}
		},
	}
}

func recipeWords(before []string) []string {
	switch {
	case len(before) == 0:
		return []string{"list", "show", "add"}
	case len(before) > 1 || before[0] == "list":
		return nil
	}
	var names []string
	for _, r := range systemdctl.Recipes() {
		names = append(names, r.Name)
	}
	return names
}

func recipe(ctx context.Context, stdout io.Writer, operands []string) error {
	const words = "list, show NAME or add NAME"
	if len(operands) == 0 {
		return usageError{errors.New("recipe needs a word more: " + words)}
	}
	verb, names := operands[0], operands[1:]
	takesName := verb == "show" || verb == "add"
	switch {
	case !takesName && verb != "list":
		return usageError{fmt.Errorf("unknown argument %q: recipe takes %s", verb, words)}
	case takesName && len(names) == 0:
		return usageError{fmt.Errorf("recipe %s needs a name: recipes are %s", verb, strings.Join(recipeNames(), ", "))}
	case takesName && len(names) > 1:
		return usageError{fmt.Errorf("unexpected argument %q: recipe %s takes one name", names[1], verb)}
	case verb == "list" && len(names) > 0:
		return usageError{fmt.Errorf("unexpected argument %q: recipe list takes none", names[0])}
	case verb == "list":
		listRecipes(stdout)
		return nil
	}
	chosen, err := findRecipe(names[0])
	if err != nil {
		return err
	}
	p, err := userPlaces()
	if err != nil {
		return err
	}
	files, err := chosen.Files(p.ownUnits())
	if err != nil {
		return err
	}
	if verb == "show" {
		showRecipe(stdout, files)
		return nil
	}
	return addRecipe(ctx, stdout, chosen, files)
}

func recipeNames() []string {
	var names []string
	for _, r := range systemdctl.Recipes() {
		names = append(names, r.Name)
	}
	return names
}

func findRecipe(name string) (systemdctl.Recipe, error) {
	for _, r := range systemdctl.Recipes() {
		if r.Name == name {
			return r, nil
		}
	}
	all := strings.Join(recipeNames(), ", ")
	if meant, found := near.Name(name, recipeNames()); found {
		return systemdctl.Recipe{}, usageError{fmt.Errorf("no recipe is called %q, did you mean %s? Recipes are %s", name, meant, all)}
	}
	return systemdctl.Recipe{}, usageError{fmt.Errorf("no recipe is called %q: recipes are %s", name, all)}
}

func listRecipes(stdout io.Writer) {
	width := 0
	for _, name := range recipeNames() {
		width = max(width, len(name))
	}
	for _, r := range systemdctl.Recipes() {
		fmt.Fprintf(stdout, "%-*s  %s\n", width, r.Name, r.Summary)
	}
}

// showRecipe prints the files under their paths, as systemctl cat does.
func showRecipe(stdout io.Writer, files []systemdctl.File) {
	for i, file := range files {
		if i > 0 {
			fmt.Fprintln(stdout)
		}
		fmt.Fprintf(stdout, "# %s\n\n%s", file.Path, file.Content)
	}
}

// addRecipe writes the units and says what is left to do.
func addRecipe(ctx context.Context, stdout io.Writer, r systemdctl.Recipe, files []systemdctl.File) error {
	manager, err := connect(ctx)
	if err != nil {
		return err
	}
	defer manager.Close()
	written, err := systemdctl.WriteNew(files)
	for _, file := range files {
		if slices.Contains(written, file.Path) {
			fmt.Fprintf(stdout, "wrote %s\n", file.Path)
		} else if err == nil {
			fmt.Fprintf(stdout, "already there: %s\n", file.Path)
		}
	}
	var taken *systemdctl.TakenError
	if errors.As(err, &taken) {
		return fmt.Errorf("%w; compare it with nm-session-bridge recipe show %s", err, r.Name)
	}
	if err != nil {
		return err
	}
	if err := systemdctl.Reload(ctx, manager); err != nil {
		return err
	}
	for _, program := range r.Programs {
		tellMissing(stdout, unitPath, program)
	}
	bridge, err := property[string](ctx, manager, "Unit", "LoadState")
	if err != nil {
		return err
	}
	if bridge == "not-found" {
		fmt.Fprintf(stdout, "missing the targets: %s install --now\n", callName())
	}
	now := ""
	if can, err := canStart(ctx, manager, r.Enable); err != nil {
		return err
	} else if can {
		now = "--now "
	}
	if strings.Contains(strings.Join(r.Enable, " "), "PROFILE") {
		fmt.Fprintln(stdout, "for PROFILE put a name that nmcli connection shows, as systemd-escape writes it")
	}
	fmt.Fprintf(stdout, "next: systemctl --user enable %s%s\n", now, strings.Join(r.Enable, " "))
	return nil
}

// tellMissing says what is to be done about a program that systemd would not
// find in its search path.
func tellMissing(stdout io.Writer, searchPath string, program systemdctl.Program) {
	for _, dir := range filepath.SplitList(searchPath) {
		if isProgram(filepath.Join(dir, program.Name)) {
			return
		}
	}
	if elsewhere, err := exec.LookPath(program.Name); err == nil {
		fmt.Fprintf(stdout, "missing %s where systemd looks: write ExecStart=%s\n", program.Name, elsewhere)
		return
	}
	fmt.Fprintf(stdout, "missing %s: on Debian, sudo apt install %s\n", program.Name, program.Package)
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// canStart tells whether starting the units now is what their targets would do:
// all that they require to be active already is, or is among them. Units that
// require nothing, such as alerts, are for the next arrival.
func canStart(ctx context.Context, manager *systemd.Conn, units []string) (bool, error) {
	requires := false
	for _, unit := range units {
		p, err := manager.GetUnitPropertyContext(ctx, unit, "Requisite")
		if err != nil {
			return false, fmt.Errorf("reading what %s requires: %w", unit, err)
		}
		var required []string
		if err := p.Value.Store(&required); err != nil {
			return false, fmt.Errorf("reading what %s requires: %w", unit, err)
		}
		states, err := manager.ListUnitsByNamesContext(ctx, required)
		if err != nil {
			return false, fmt.Errorf("reading the states of %s: %w", strings.Join(required, ", "), err)
		}
		for _, state := range states {
			requires = true
			if state.ActiveState != "active" && !slices.Contains(units, state.Name) {
				return false, nil
			}
		}
	}
	return requires, nil
}
