package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/installer"
	"github.com/nm-session-bridge/nm-session-bridge/systemdctl"
)

func newRecipe() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recipe",
		Short: "List, show and add example units to start from",
		Example: `  # list the recipes
  nm-session-bridge recipe list
  # print the units of one
  nm-session-bridge recipe show mail
  # write them, and learn which program is missing and what to type next
  nm-session-bridge recipe add mail`,
		Args: func(_ *cobra.Command, args []string) error {
			const words = "list, show NAME or add NAME"
			if len(args) == 0 {
				return errors.New("recipe needs another word: " + words)
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
		Short: "List the recipes",
		Args:  onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			installer.ListRecipes(cmd.OutOrStdout())
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
			return installer.ShowRecipe(cmd.OutOrStdout(), args[0])
		},
	}
}

func newRecipeAdd() *cobra.Command {
	return &cobra.Command{
		Use:   "add NAME",
		Short: "Write the units of a recipe, and say what to type next",
		Long: `Write the units of a recipe into ~/.config/systemd/user, where they are yours to change.
It never replaces a file that differs. It does not enable the units, so that you can
read them and put in your own program or account first; it prints the command that
enables them.`,
		ValidArgsFunction: completeRecipe,
		Args:              oneRecipe,
		RunE: func(cmd *cobra.Command, args []string) error {
			return installer.AddRecipe(cmd.Context(), cmd.OutOrStdout(), args[0])
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

// oneRecipe accepts exactly one argument, the name of a recipe.
func oneRecipe(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return fmt.Errorf("recipe %s needs a name: recipes are %s", cmd.Name(), strings.Join(installer.RecipeNames(), ", "))
	case len(args) > 1:
		return fmt.Errorf("unexpected argument %q: recipe %s takes one name", args[1], cmd.Name())
	}
	_, err := installer.FindRecipe(args[0])
	return err
}
