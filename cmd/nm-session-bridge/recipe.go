package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/installer"
	"github.com/nm-session-bridge/nm-session-bridge/cmd/nm-session-bridge/internal/profiles"
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
				return errors.New("recipe needs a subcommand: " + words)
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
	var settings []string
	var filling installer.Filling
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Write the units of a recipe, and say what to type next",
		Long: `Write the units of a recipe into ~/.config/systemd/user, where you can change them.
It never replaces a file that differs. It does not enable the units, so that you can
first read them and put in your own program or account; it prints the command that
enables them. --set fills in what a recipe leaves blank, such as the name of a profile.
If a value is missing, it writes nothing.`,
		Example: `  # units that need nothing more
  nm-session-bridge recipe add mail
  # while a NetworkManager profile is active
  nm-session-bridge recipe add home --set PROFILE='Home Wifi'`,
		ValidArgsFunction: completeRecipe,
		Args: func(cmd *cobra.Command, args []string) (err error) {
			if err := oneRecipe(cmd, args); err != nil {
				return err
			}
			filling, err = installer.Filled(args[0], settings)
			return err
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return installer.AddRecipe(cmd.Context(), cmd.OutOrStdout(), filling)
		},
	}
	cmd.Flags().StringArrayVar(&settings, "set", nil, "fill in a blank, as `BLANK=VALUE`")
	_ = cmd.RegisterFlagCompletionFunc("set", completeBlank) // the flag exists
	return cmd
}

// completeBlank names the blanks of a recipe, and after PROFILE= NetworkManager's profiles.
func completeBlank(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	recipe, err := installer.FindRecipe(args[0])
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var found []cobra.Completion
	for _, blank := range recipe.Blanks {
		if !blank.IsProfile || !strings.HasPrefix(typed, blank.Name+"=") {
			found = append(found, cobra.CompletionWithDesc(blank.Name+"=", blank.Meaning))
			continue
		}
		names, _ := profiles.Ask(cmd.Context()) // completion cannot say why some are missing
		for _, name := range names {
			found = append(found, blank.Name+"="+name)
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
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
