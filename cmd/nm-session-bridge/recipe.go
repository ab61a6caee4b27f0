package main

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
	"github.com/spf13/cobra"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/near"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

// unitPath is where systemd looks for a program that a unit names without a
// directory (systemd.service(5), "Command lines"), the user's own PATH or not.
const unitPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func newRecipe() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recipe",
		Short: "List, show and add example units to start from",
		Example: `  # name the recipes
  nm-session-bridge recipe list
  # print the units of one
  nm-session-bridge recipe show mail
  # write them, and say which program is missing and what to type next
  nm-session-bridge recipe add mail`,
		Args: func(_ *cobra.Command, args []string) error {
			const words = "list, show NAME or add NAME"
			if len(args) == 0 {
				return errors.New("recipe needs a word more: " + words)
			}
			return fmt.Errorf("unknown argument %q: recipe takes %s", args[0], words)
		},
		RunE: func(*cobra.Command, []string) error { return nil }, // Args always refuses
	}
	cmd.AddCommand(newRecipeList(), newRecipeShow(), newRecipeAdd())
	return cmd
}

func newRecipeList() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Name the recipes",
		Args:  onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			listRecipes(cmd.OutOrStdout())
			return nil
		},
	}
}

func newRecipeShow() *cobra.Command {
	return &cobra.Command{
		Use:               "show NAME",
		Short:             "Print the units of a recipe",
		ValidArgsFunction: completeRecipe,
		Args:              oneRecipe,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, files, err := recipeFiles(args[0])
			if err == nil {
				showRecipe(cmd.OutOrStdout(), files)
			}
			return err
		},
	}
}

func newRecipeAdd() *cobra.Command {
	return &cobra.Command{
		Use:   "add NAME",
		Short: "Write the units of a recipe, and say what to type next",
		Long: `Write the units of a recipe into ~/.config/systemd/user, where they are yours to change,
and never over a file that differs. It does not enable them, so that you can read them
and put in your own program or account first; it says the command that does.`,
		ValidArgsFunction: completeRecipe,
		Args:              oneRecipe,
		RunE: func(cmd *cobra.Command, args []string) error {
			recipe, files, err := recipeFiles(args[0])
			if err != nil {
				return err
			}
			return addRecipe(cmd.Context(), cmd.OutOrStdout(), recipe, files)
		},
	}
}

func completeRecipe(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []cobra.Completion
	for _, r := range systemdctl.Recipes() {
		names = append(names, cobra.CompletionWithDesc(r.Name, r.Summary))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// oneRecipe takes the name of a recipe.
func oneRecipe(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return fmt.Errorf("recipe %s needs a name: recipes are %s", cmd.Name(), strings.Join(recipeNames(), ", "))
	case len(args) > 1:
		return fmt.Errorf("unexpected argument %q: recipe %s takes one name", args[1], cmd.Name())
	}
	_, err := findRecipe(args[0])
	return err
}

func recipeFiles(name string) (systemdctl.Recipe, []systemdctl.File, error) {
	recipe, err := findRecipe(name)
	if err != nil {
		return recipe, nil, err
	}
	p, err := userPlaces()
	if err != nil {
		return recipe, nil, err
	}
	files, err := recipe.Files(p.ownUnits())
	return recipe, files, err
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
		return systemdctl.Recipe{}, fmt.Errorf("no recipe is called %q, did you mean %s? Recipes are %s", name, meant, all)
	}
	return systemdctl.Recipe{}, fmt.Errorf("no recipe is called %q: recipes are %s", name, all)
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
