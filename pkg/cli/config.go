package cli

import (
	"errors"
	"fmt"
	"os"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/seraph-deploy/seraph/pkg/config"
)

// contextName is what a context may be called.
var contextName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

func (c *commands) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config set-context|use-context|get-contexts|delete-context",
		Short: "keep the addresses and tokens of services",
		Long: "Keep the addresses and tokens of the services that you ask, each as a context with a name, in a\n" +
			"file that only you can read. SERAPH_API_URL and SERAPH_API_TOKEN win over the current context,\n" +
			"and --context NAME over both.",
		Example: "seraph config set-context prod --url https://seraph.example.com",
	}
	cmd.AddCommand(c.setContextCommand(), c.useContextCommand(), c.getContextsCommand(), c.deleteContextCommand())
	return cmd
}

func (c *commands) setContextCommand() *cobra.Command {
	var saved savedContext
	tokenFile := ""
	cmd := &cobra.Command{
		Use:   "set-context NAME --url URL [--token-file FILE]",
		Short: "add or change a context",
		Long: "Add a context, or change the address or the token of one. The first context becomes the current\n" +
			"one. The token is read from --token-file, or from standard input: on a terminal you are asked for\n" +
			"it, and it is not shown. It is kept in the file of contexts, which only you can read.",
		Example: "seraph config set-context prod --url https://seraph.example.com\n" +
			"seraph config set-context prod --token-file ./token",

		Args: func(cmd *cobra.Command, args []string) error {
			if err := wantArguments(1, 1, "the NAME of a context")(cmd, args); err != nil {
				return err
			}
			if !contextName.MatchString(args[0]) {
				return errors.New("the name of a context has letters, digits, dots, dashes and underscores only")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return c.setContext(args[0], saved, tokenFile) },
	}

	flags := cmd.Flags()
	flags.StringVar(&saved.URL, "url", "", "the address of the service, `URL`; needed for a new context")
	flags.StringVar(&tokenFile, "token-file", "", "read the token from `FILE`; - is standard input")
	flags.BoolVar(&saved.AllowHTTP, "allow-http", false, "accept an address without encryption")
	return cmd
}

// setContext adds or changes a context. What is not given stays as it was.
func (c *commands) setContext(name string, given savedContext, tokenFile string) error {
	file, err := readContexts(c.o.ConfigFile)
	if err != nil {
		return err
	}

	before, known := file.Contexts[name]
	saved := given
	if saved.URL == "" {
		saved.URL = before.URL
		saved.AllowHTTP = saved.AllowHTTP || before.AllowHTTP
	}
	if saved.URL == "" {
		return config.Problems{fmt.Sprintf("there is no context %s yet: give its address, --url https://HOST", name)}
	}
	if err := config.CheckAPIURL(saved.URL, saved.AllowHTTP); err != nil {
		return config.Problems{"--url: " + err.Error()}
	}

	keepsToken := known && tokenFile == "" && saved.URL == before.URL
	if keepsToken {
		saved.Token = before.Token
	} else if saved.Token, err = c.readToken(tokenFile); err != nil {
		return err
	}

	if file.Contexts == nil {
		file.Contexts = map[string]savedContext{}
	}
	file.Contexts[name] = saved
	if file.Current == "" {
		file.Current = name
	}
	if err := file.write(c.o.ConfigFile); err != nil {
		return err
	}

	newScreen(c.o.Stdout).line(fmt.Sprintf("context %s: %s, kept in %s", name, saved.URL, c.o.ConfigFile))
	if keepsToken {
		newScreen(c.o.Stderr).line("its token stays the same; --token-file FILE changes it (- is standard input)")
	}
	if file.Current != name {
		newScreen(c.o.Stderr).line(fmt.Sprintf("the current context is %s; `seraph config use-context %s` changes it",
			file.Current, name))
	}
	return nil
}

func (c *commands) useContextCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "use-context NAME",
		Short:             "make a context the current one",
		Example:           "seraph config use-context prod",
		Args:              wantArguments(1, 1, "the NAME of a context"),
		ValidArgsFunction: first(c.completeContexts),
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := readContexts(c.o.ConfigFile)
			if err != nil {
				return err
			}

			saved, err := file.find(args[0])
			if err != nil {
				return err
			}

			file.Current = args[0]
			if err := file.write(c.o.ConfigFile); err != nil {
				return err
			}

			newScreen(c.o.Stdout).line(fmt.Sprintf("the current context is %s: %s", args[0], saved.URL))
			c.noteEnvironment()
			return nil
		},
	}
}

func (c *commands) deleteContextCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "delete-context NAME",
		Short:             "forget a context and its token",
		Example:           "seraph config delete-context old",
		Args:              wantArguments(1, 1, "the NAME of a context"),
		ValidArgsFunction: first(c.completeContexts),
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := readContexts(c.o.ConfigFile)
			if err != nil {
				return err
			}
			if _, err := file.find(args[0]); err != nil {
				return err
			}

			delete(file.Contexts, args[0])
			if file.Current == args[0] {
				file.Current = ""
				newScreen(c.o.Stderr).line("there is no current context now; `seraph config use-context` chooses one")
			}
			if err := file.write(c.o.ConfigFile); err != nil {
				return err
			}

			newScreen(c.o.Stdout).line(fmt.Sprintf("context %s is deleted", args[0]))
			return nil
		},
	}
}

// listedContext is a context without its token.
type listedContext struct {
	Name     string `json:"name"`
	URL      string `json:"url"`
	Current  bool   `json:"current"`
	HasToken bool   `json:"has_token"`
}

func (c *commands) getContextsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "get-contexts",
		Short:   "list the contexts, without their tokens",
		Example: "seraph config get-contexts",
		RunE:    func(*cobra.Command, []string) error { return c.listContexts() },
	}
	c.addOutputFlag(cmd)
	return cmd
}

func (c *commands) listContexts() error {
	file, err := readContexts(c.o.ConfigFile)
	if err != nil {
		return err
	}

	listed := []listedContext{}
	rows := [][]cell{plain("CURRENT", "NAME", "URL", "TOKEN")}
	for _, name := range file.names() {
		saved := file.Contexts[name]
		entry := listedContext{Name: name, URL: saved.URL, Current: name == file.Current, HasToken: saved.Token != ""}
		listed = append(listed, entry)

		current, token := "", "none"
		if entry.Current {
			current = "*"
		}
		if entry.HasToken {
			token = "kept"
		}
		rows = append(rows, plain(current, name, saved.URL, token))
	}

	out := newScreen(c.o.Stdout)
	switch {
	case c.output == "json":
		return out.json(map[string]any{"contexts": listed})
	case len(listed) == 0:
		newScreen(c.o.Stderr).line("there are no contexts; `seraph config set-context --help` says how to add one")
	default:
		out.table("", rows...)
	}

	c.noteEnvironment()
	return nil
}

// noteEnvironment tells that variables win over the current context.
func (c *commands) noteEnvironment() {
	for _, name := range []string{"API_URL", "API_TOKEN", "API_TOKEN_FILE"} {
		if os.Getenv(config.Prefix+name) != "" {
			newScreen(c.o.Stderr).line(config.Prefix + name + " is set and wins over the current context")
		}
	}
}
