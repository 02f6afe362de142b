package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (p *Program) completion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Write a shell's completion script",
		Example: `  source <(muster completion bash)
  muster completion zsh > "${fpath[1]}/_muster"
  muster completion fish > ~/.config/fish/completions/muster.fish`,
		Args:      exactly(1),
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(c *cobra.Command, args []string) error {
			switch args[0] {
			case "bash":
				return c.Root().GenBashCompletionV2(p.Out, true)
			case "zsh":
				return c.Root().GenZshCompletion(p.Out)
			case "fish":
				return c.Root().GenFishCompletion(p.Out, true)
			}
			return fmt.Errorf("there is no completion for %q; there is for bash, zsh and fish", args[0])
		},
	}
}
