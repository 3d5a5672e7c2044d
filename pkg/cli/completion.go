package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seraph-deploy/seraph/pkg/client"
	"github.com/seraph-deploy/seraph/pkg/config"
)

// completer is a function of the library that completes arguments and values of flags.
type completer = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// noFiles says that names of files make no sense here.
const noFiles = cobra.ShellCompDirectiveNoFileComp

// shells are the shells that `seraph completion` knows, and how each loads the script.
var shells = []struct{ name, use string }{
	{"bash", "source <(seraph completion bash)                 # in ~/.bashrc, with bash-completion"},
	{"zsh", "source <(seraph completion zsh)                  # in ~/.zshrc, after compinit"},
	{"fish", "seraph completion fish | source                  # in ~/.config/fish/config.fish"},
	{"powershell", "seraph completion powershell | Out-String | Invoke-Expression  # in $PROFILE"},
}

func (c *commands) completionCommand() *cobra.Command {
	var names, uses []string
	for _, shell := range shells {
		names = append(names, shell.name)
		uses = append(uses, "  "+shell.use)
	}

	return &cobra.Command{
		Use:   "completion " + strings.Join(names, "|"),
		Short: "print a script that lets your shell complete commands",
		Long: "Print a script for your shell. It completes commands and flags and, by asking the service,\n" +
			"repositories, environments and deployments:\n\n" + strings.Join(uses, "\n"),
		Example: "seraph completion bash > /etc/bash_completion.d/seraph",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := wantArguments(1, 1, strings.Join(names, ", "))(cmd, args); err != nil {
				return err
			}
			if !slices.Contains(names, args[0]) {
				const format = "there is no script for the shell %q, only for %s"
				return fmt.Errorf(format, args[0], strings.Join(names, ", "))
			}
			return nil
		},
		ValidArgsFunction: first(fixed(names...)),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(c.o.Stdout, true)
			case "zsh":
				return root.GenZshCompletion(c.o.Stdout)
			case "fish":
				return root.GenFishCompletion(c.o.Stdout, true)
			default:
				return root.GenPowerShellCompletionWithDesc(c.o.Stdout)
			}
		},
	}
}

// fixed completes with words that are always the same.
func fixed(words ...string) completer {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) { return words, noFiles }
}

// first completes the first argument only.
func first(complete completer) completer {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, noFiles
		}
		return complete(cmd, args, typed)
	}
}

// live returns a client for completions, or nil where it is not known which service to ask. Completions
// print nothing: what is missing cannot be completed.
func (c *commands) live(cmd *cobra.Command) (*client.Client, context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(cmd.Context(), c.o.pace.complete)
	if c.o.EnvFiles != nil {
		if err := config.LoadEnvFiles(*c.o.EnvFiles); err != nil {
			return nil, ctx, cancel
		}
	}

	defaults, _, err := c.defaults()
	if err != nil {
		return nil, ctx, cancel
	}

	found, err := config.LoadClient(defaults)
	if err != nil {
		return nil, ctx, cancel
	}

	return client.New(client.Options{URL: found.URL, Token: found.Token.Reveal()}), ctx, cancel
}

// completeID completes the id of a deployment, with what it is beside it. states are those in which the
// command makes sense; none: all.
func (c *commands) completeID(states ...string) completer {
	return first(func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		service, ctx, cancel := c.live(cmd)
		defer cancel()
		if service == nil {
			return nil, noFiles
		}

		list, err := service.Deployments(ctx, client.ListQuery{})
		if err != nil {
			return nil, noFiles
		}

		var ids []string
		for _, d := range list.Deployments {
			if len(states) > 0 && !slices.Contains(states, d.State) {
				continue
			}
			about := clean(fmt.Sprintf("%s to %s, %s: %s", d.Repository, d.Environment, what(d), d.State))
			ids = append(ids, strconv.FormatInt(d.ID, 10)+"\t"+about)
		}

		return ids, noFiles | cobra.ShellCompDirectiveKeepOrder
	})
}

// completePlace completes a repository and one of its environments.
func (c *commands) completePlace(
	cmd *cobra.Command, args []string, _ string,
) ([]string, cobra.ShellCompDirective) {
	service, ctx, cancel := c.live(cmd)
	defer cancel()
	if service == nil || len(args) > 1 {
		return nil, noFiles
	}

	var names []string
	for _, place := range knownPlaces(ctx, service) {
		switch {
		case len(args) == 0:
			names = addNew(names, clean(place.repository))
		case strings.EqualFold(place.repository, args[0]):
			names = addNew(names, clean(place.environment))
		}
	}

	return names, noFiles
}

// completeDeploy completes OWNER/NAME@REF with refs that were deployed before, and the environment.
func (c *commands) completeDeploy(
	cmd *cobra.Command, args []string, typed string,
) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		repository, _, _ := strings.Cut(args[0], "@")
		return c.completePlace(cmd, append([]string{repository}, args[1:]...), typed)
	}

	repository, _, chosen := strings.Cut(typed, "@")
	if !chosen {
		names, _ := c.completePlace(cmd, nil, typed)
		for i := range names {
			names[i] += "@"
		}
		return names, noFiles | cobra.ShellCompDirectiveNoSpace
	}

	service, ctx, cancel := c.live(cmd)
	defer cancel()
	if service == nil {
		return nil, noFiles
	}

	list, err := service.Deployments(ctx, client.ListQuery{Repository: repository})
	if err != nil {
		return nil, noFiles
	}

	var refs []string
	for _, d := range list.Deployments {
		refs = addNew(refs, clean(repository+"@"+d.Ref))
	}

	return refs, noFiles
}

// completeContexts completes the name of a context.
func (c *commands) completeContexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	file, err := readContexts(c.o.ConfigFile)
	if err != nil {
		return nil, noFiles
	}

	var names []string
	for _, name := range file.names() {
		names = append(names, name+"\t"+file.Contexts[name].URL)
	}
	return names, noFiles
}
