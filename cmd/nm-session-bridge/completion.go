package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// shells are the shells that have completions.
func shells() []string { return []string{"bash", "fish", "zsh"} }

func newCompletion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|fish|zsh",
		Short: "Print a script that completes command lines in a shell",
		Example: `  # for bash; install does this
  nm-session-bridge completion bash > ~/.local/share/bash-completion/completions/nm-session-bridge
  # for fish; install does this
  nm-session-bridge completion fish > ~/.local/share/fish/vendor_completions.d/nm-session-bridge.fish
  # for zsh, with "fpath+=(~/.zsh)" before compinit in ~/.zshrc
  nm-session-bridge completion zsh > ~/.zsh/_nm-session-bridge`,
		ValidArgs: shells(),
		Args: func(cmd *cobra.Command, args []string) error {
			if cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs)(cmd, args) != nil {
				return fmt.Errorf("completion takes one shell: %s", strings.Join(shells(), ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			switch args[0] {
			case "bash":
				return cmd.Root().GenBashCompletionV2(cmd.OutOrStdout(), true)
			case "fish":
				return cmd.Root().GenFishCompletion(cmd.OutOrStdout(), true)
			default:
				return writeZsh(cmd.OutOrStdout(), cmd.Root())
			}
		},
	}
}

// writeZsh writes cobra's script for zsh. Its _describe drops backslashes, which the
// names of profiles have where units write them, so the script doubles them.
func writeZsh(w io.Writer, root *cobra.Command) error {
	var script bytes.Buffer
	if err := root.GenZshCompletion(&script); err != nil {
		return err
	}
	const escapeColons = `comp=${comp//:/\\:}`
	_, err := io.WriteString(w, strings.Replace(script.String(), escapeColons, `comp=${comp//\\/\\\\}; `+escapeColons, 1))
	return err
}
