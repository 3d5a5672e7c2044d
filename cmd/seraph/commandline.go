package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/seraph-deploy/seraph/deploy/docs"
	"github.com/seraph-deploy/seraph/pkg/route"
)

// command is something that the program can do, and the text of its help.
type command struct {
	name      string // one word or two; empty: the program without a command
	arguments string // what follows the name in the usage line
	short     string // one line for the list of commands
	long      string // empty: the same as short
	example   string
	flags     func(*flag.FlagSet)       // registers flags of its own; nil: there are none
	check     func(args []string) error // says what is wrong with the arguments; nil: there must be none
	run       func(ctx context.Context, args []string) error
}

// usageError is a mistake in the command line.
type usageError struct {
	problem string
	command *command
}

// Error names the mistake, how the command is called, and where to read more.
func (e *usageError) Error() string {
	return fmt.Sprintf("seraph: %s\nusage: %s\n`%s --help` says more", e.problem, e.command.usage(), e.command.path())
}

func (c *command) mistake(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...), c}
}

// path is what calls the command.
func (c *command) path() string { return strings.TrimSpace("seraph " + c.name) }

// usage is how the command is called, with what it needs.
func (c *command) usage() string {
	if c.name == "" {
		return "seraph [COMMAND]"
	}
	return strings.TrimSpace(c.path() + " " + c.arguments)
}

// flagSet has the flags of a command, and those that all have.
func (p *program) flagSet(c *command) *flag.FlagSet {
	flags := flag.NewFlagSet(c.path(), flag.ContinueOnError)
	flags.SetOutput(io.Discard) // execute prints what is wrong
	envFile := "read more variables from `FILE`, one NAME=VALUE a line; the environment wins\n" +
		"over the file, and a later --env-file over an earlier one"
	flags.Func("env-file", envFile, func(file string) error {
		p.envFiles = append(p.envFiles, file)
		return nil
	})

	if c.flags != nil {
		c.flags(flags)
	}

	return flags
}

// parse finds the command, which may stand behind flags that all commands have, and reads its flags
// and arguments. The error is flag.ErrHelp where its help is wanted.
func (p *program) parse(args []string) (*command, []string, error) {
	root := p.rootCommand()
	flags := p.flagSet(root)
	if err := root.parseFlags(flags, args); err != nil || flags.NArg() == 0 {
		return root, nil, err
	}

	called, words, err := p.find(flags.Args())
	if err != nil {
		return nil, nil, err
	}

	words, err = called.parseAll(p.flagSet(called), words)
	return called, words, err
}

// undefined begins the flag package's error about an unknown flag, which is of no type of its own.
const undefined = "flag provided but not defined: -"

// parseFlags reads the flags that come before the first argument.
func (c *command) parseFlags(flags *flag.FlagSet, args []string) error {
	err := flags.Parse(args)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		return c.flagMistake(flags, err)
	}
	return err
}

// flagMistake returns the mistake for an error of the flag package.
func (c *command) flagMistake(flags *flag.FlagSet, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), undefined)
	if !unknown {
		return c.mistake("%s", strings.Replace(err.Error(), "argument: -", "argument: --", 1))
	}

	known := []string{"help"}
	flags.VisitAll(func(f *flag.Flag) { known = append(known, f.Name) })
	return c.mistake("unknown flag --%s%s", name, suggestion(name, "--", known))
}

// parseAll reads flags before, between and behind the arguments, and returns the arguments.
func (c *command) parseAll(flags *flag.FlagSet, args []string) ([]string, error) {
	var words []string
	for {
		if err := c.parseFlags(flags, args); err != nil {
			return nil, err
		}
		if flags.NArg() == 0 {
			return words, nil
		}

		words = append(words, flags.Arg(0))
		args = flags.Args()[1:]
	}
}

// checkArguments refuses what the command cannot run with.
func (c *command) checkArguments(args []string) error {
	check := c.check
	if check == nil {
		check = noArguments
	}
	if err := check(args); err != nil {
		return c.mistake("%v", err)
	}
	return nil
}

func noArguments(args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q", args[0])
	}
	return nil
}

// find returns the command that words begin with, and the words behind it.
func (p *program) find(words []string) (*command, []string, error) {
	for _, length := range []int{2, 1} {
		if len(words) < length {
			continue
		}

		name := strings.Join(words[:length], " ")
		for _, c := range p.commands() {
			if c.name == name {
				return c, words[length:], nil
			}
		}
	}

	return nil, nil, p.rootCommand().mistake("unknown command %q%s", words[0], suggestion(words[0], "", p.names()))
}

func (p *program) names() []string {
	var names []string
	for _, c := range p.commands() {
		names = append(names, c.name)
	}
	return names
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

// printHelp prints what a command does, its flags and an example; for the program itself, also all
// commands.
func (p *program) printHelp(c *command) error {
	long := c.long
	if long == "" {
		long = strings.ToUpper(c.short[:1]) + c.short[1:] + "."
	}

	var text strings.Builder
	fmt.Fprintf(&text, "%s\n\nUsage:\n  %s [flags]\n", long, c.usage())
	table := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	if c.name == "" {
		fmt.Fprint(table, "\nCommands:\n")
		for _, listed := range p.commands() {
			fmt.Fprintf(table, "  %s\t%s\n", listed.name, listed.short)
		}
	}

	fmt.Fprint(table, "\nFlags:\n")
	p.flagSet(c).VisitAll(func(f *flag.Flag) {
		value, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(
			table,
			"  --%s\t%s\n",
			strings.TrimSpace(f.Name+" "+value),
			strings.ReplaceAll(usage, "\n", "\n  \t"),
		)
	})

	fmt.Fprint(table, "  --help\tprint this text\n")
	_ = table.Flush() // a strings.Builder takes everything

	fmt.Fprintf(&text, "\nExample:\n  %s\n", strings.ReplaceAll(c.example, "\n", "\n  "))
	if c.name == "" {
		fmt.Fprintf(&text, "\n`seraph COMMAND --help` says more about a command, `seraph help TOPIC` about:\n  %s\n",
			strings.Join(docs.Topics(), ", "))
	}

	_, err := fmt.Fprint(p.stdout, text.String())
	return err
}
