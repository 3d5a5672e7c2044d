package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seraph-deploy/seraph/deploy/docs"
	"github.com/seraph-deploy/seraph/pkg/route"
)

// helpCommand prints a page of the documentation, or the help of a command. Where a topic and a
// command have one name, the topic is printed, because the command has --help.
func (p *program) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [TOPIC | COMMAND]",
		Short: "print a page of the documentation, or the help of a command",
		Long: "Print a page of the documentation, or the help of a command.\n\n" +
			"Topics:\n  " + strings.Join(docs.Topics(), "\n  "),
		Example: "seraph help states",

		Args: func(cmd *cobra.Command, args []string) error {
			name := strings.Join(args, " ")
			known := append(docs.Topics(), names(cmd.Root())...)
			if len(args) > 0 && !slices.Contains(known, name) {
				return fmt.Errorf("no topic and no command is called %q%s", name, suggestion(name, "", known))
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return append(docs.Topics(), names(cmd.Root())...), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if page, ok := docs.Page(strings.Join(args, " ")); ok {
				_, err := fmt.Fprint(p.stdout, page)
				return err
			}

			called, _, err := cmd.Root().Find(args)
			if err != nil {
				return err
			}

			p.printHelp(called, nil)
			return p.helpProblem
		},
	}
}

// printHelp prints what a command does, its flags and an example; of a command with commands of its
// own also these. It refuses where the words behind such a command name none.
func (p *program) printHelp(cmd *cobra.Command, _ []string) {
	if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
		p.helpProblem = mistake(cmd, unknownCommand(cmd, words[0]))
		return
	}

	long := cmd.Long
	if long == "" {
		long = strings.ToUpper(cmd.Short[:1]) + cmd.Short[1:] + "."
	}

	var text strings.Builder
	fmt.Fprintf(&text, "%s\n\nUsage:\n  %s [flags]\n", long, usage(cmd))
	for _, alias := range cmd.Aliases {
		fmt.Fprintf(&text, "  seraph %s …\n", alias)
	}

	table := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	listCommands(table, cmd)
	fmt.Fprint(table, "\nFlags:\n")
	list := func(f *pflag.Flag) { fmt.Fprintln(table, flagLine(f)) }
	cmd.LocalNonPersistentFlags().VisitAll(list)
	cmd.InheritedFlags().VisitAll(list)
	cmd.PersistentFlags().VisitAll(list)
	_ = table.Flush() // a strings.Builder takes everything

	fmt.Fprintf(&text, "\nExample:\n  %s\n", strings.ReplaceAll(cmd.Example, "\n", "\n  "))
	if !cmd.HasParent() {
		fmt.Fprintf(&text, "\n`seraph COMMAND --help` says more about a command, `seraph help TOPIC` about:\n  %s\n",
			strings.Join(docs.Topics(), ", "))
	}

	_, p.helpProblem = fmt.Fprint(p.stdout, text.String())
}

// listCommands lists the commands below cmd, by their groups where it has some.
func listCommands(table *tabwriter.Writer, cmd *cobra.Command) {
	groups := cmd.Groups()
	if len(groups) == 0 && cmd.HasSubCommands() {
		groups = []*cobra.Group{{Title: "Commands:"}}
	}

	for _, group := range groups {
		fmt.Fprintf(table, "\n%s\n", group.Title)
		for _, c := range cmd.Commands() {
			if c.GroupID == group.ID && !c.Hidden {
				listCommand(table, c)
			}
		}
	}
}

// listCommand lists a command, or, where it only leads to others, those.
func listCommand(table *tabwriter.Writer, cmd *cobra.Command) {
	if cmd.HasSubCommands() {
		for _, c := range cmd.Commands() {
			listCommand(table, c)
		}
		return
	}
	fmt.Fprintf(table, "  %s\t%s\n", name(cmd), cmd.Short)
}

func flagLine(f *pflag.Flag) string {
	short := ""
	if f.Shorthand != "" {
		short = "-" + f.Shorthand + ", "
	}

	value, usage := pflag.UnquoteUsage(f)
	spelled := strings.TrimSpace("--" + f.Name + " " + value)
	return fmt.Sprintf("  %s%s\t%s", short, spelled, strings.ReplaceAll(usage, "\n", "\n  \t"))
}

// name is the command without the program's name: one word or two.
func name(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}

// usage is how the command is called, with what it needs.
func usage(cmd *cobra.Command) string {
	if !cmd.HasParent() {
		return cmd.Use
	}
	return cmd.Parent().CommandPath() + " " + cmd.Use
}

// names lists every command below cmd by its name.
func names(cmd *cobra.Command) []string {
	var all []string
	for _, c := range cmd.Commands() {
		if c.Hidden {
			continue
		}

		all = append(all, name(c))
		all = append(all, c.Aliases...)
		all = append(all, names(c)...)
	}
	return all
}

// usageError is a mistake in the command line.
type usageError struct {
	problem error
	command *cobra.Command
}

// Error names the mistake, how the command is called, and where to read more.
func (e *usageError) Error() string {
	return fmt.Sprintf(
		"seraph: %v\nusage: %s\n`%s --help` says more", e.problem, usage(e.command), e.command.CommandPath(),
	)
}

// Unwrap is the mistake.
func (e *usageError) Unwrap() error { return e.problem }

func mistake(cmd *cobra.Command, problem error) error { return &usageError{problem, cmd} }

// reportMistakes makes every command say what is wrong with its arguments as a usageError. A command
// that checks none takes none, and one that only leads to others needs one of them.
func reportMistakes(cmd *cobra.Command) {
	check := cmd.Args
	switch {
	case !cmd.Runnable():
		check = needsCommand
		cmd.RunE = func(*cobra.Command, []string) error { return nil } // not reached: the check always refuses
	case check == nil:
		check = noArguments
	}

	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := checkDashes(cmd, args); err != nil {
			return mistake(cmd, err)
		}
		if err := check(cmd, args); err != nil {
			return mistake(cmd, err)
		}
		return nil
	}

	for _, c := range cmd.Commands() {
		reportMistakes(c)
	}
}

// otherDash matches a word that was meant as a flag: word processors put dashes in the place of hyphens.
var otherDash = regexp.MustCompile(`^-?[\x{2010}-\x{2015}\x{2212}]-?(\pL[\pL-]*)`)

// checkDashes refuses a flag that begins with another dash than a hyphen, which would be taken for an argument. After
// "--" everything is an argument.
func checkDashes(cmd *cobra.Command, args []string) error {
	if n := cmd.ArgsLenAtDash(); n >= 0 {
		args = args[:n]
	}
	for _, arg := range args {
		if m := otherDash.FindStringSubmatch(arg); m != nil {
			return fmt.Errorf("%q begins with a dash that is no hyphen: type --%s", arg, m[1])
		}
	}
	return nil
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q", args[0])
	}
	return nil
}

// needsCommand refuses a command that only leads to others.
func needsCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}

	var known []string
	for _, c := range cmd.Commands() {
		known = append(known, c.Name())
	}
	last := len(known) - 1
	if last == 0 {
		return fmt.Errorf("%s needs a command: %s", name(cmd), known[0])
	}
	return fmt.Errorf("%s needs a command: %s or %s", name(cmd), strings.Join(known[:last], ", "), known[last])
}

// otherWords are words that people type for a command, which no similarity of names would find.
var otherWords = map[string]string{
	"deployments":  "list",
	"deploys":      "list",
	"environments": "status",
	"history":      "list",
	"log":          "show",
	"login":        "config set-context",
	"logs":         "show",
	"ls":           "list",
	"ps":           "status",
	"stop":         "cancel",
}

// otherFlags are flags that people know from other programs.
var otherFlags = map[string]string{
	"format":  "output json",
	"json":    "output json",
	"message": "reason",
	"url":     "context",
}

func unknownCommand(cmd *cobra.Command, word string) error {
	if other := otherWords[word]; other != "" && !cmd.HasParent() {
		return fmt.Errorf("unknown command %q; did you mean %s?", word, other)
	}

	typed := word
	if cmd.HasParent() {
		typed = name(cmd) + " " + word
	}
	return fmt.Errorf("unknown command %q%s", typed, suggestion(typed, "", names(cmd.Root())))
}

// flagMistake returns the mistake for an error of the library that reads flags.
func flagMistake(cmd *cobra.Command, err error) error {
	bad, ok := errors.AsType[*pflag.InvalidValueError](err)
	if ok && bad.GetFlag().Value.Type() == "duration" {
		const format = "--%s must be a duration such as 30m or 2h, not %q"
		return mistake(cmd, fmt.Errorf(format, bad.GetFlag().Name, bad.GetValue()))
	}

	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok || unknown.GetSpecifiedShortnames() != "" {
		return mistake(cmd, err)
	}

	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	typed := unknown.GetSpecifiedName()
	if other := otherFlags[typed]; other != "" && cmd.Flags().Lookup(strings.Fields(other)[0]) != nil {
		return mistake(cmd, fmt.Errorf("unknown flag --%s; did you mean --%s?", typed, other))
	}
	return mistake(cmd, fmt.Errorf("unknown flag --%s%s", typed, suggestion(typed, "--", known)))
}

// suggestion is a question whether the nearest known name was meant, or nothing where none is near.
func suggestion(typed, prefix string, known []string) string {
	nearest := route.Nearest(typed, known)
	for _, name := range known {
		if len(typed) > 1 && strings.HasPrefix(name, typed) {
			nearest = name
			break
		}
	}

	if nearest == "" {
		return ""
	}

	return fmt.Sprintf("; did you mean %s%s?", prefix, nearest)
}
