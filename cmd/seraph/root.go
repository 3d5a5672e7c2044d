package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/seraph-deploy/seraph/pkg/cli"
	"github.com/seraph-deploy/seraph/pkg/config"
)

// program is one run of the command line.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	signals        <-chan os.Signal
	envFiles       []string
	helpProblem    error // why the help that was asked for could not be printed
}

// run executes the command that args name, and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, signals <-chan os.Signal) int {
	p := &program{stdin: os.Stdin, stdout: stdout, stderr: stderr, signals: signals}
	if err := p.execute(ctx, args); err != nil {
		return p.exitCode(err)
	}
	return cli.ExitOK
}

// exitCode prints an error, and tells what it means for scripts.
func (p *program) exitCode(err error) int {
	if exit, ok := errors.AsType[cli.ExitError](err); ok {
		return exit.Code
	}

	_, _ = fmt.Fprintln(p.stderr, err)
	_, badUsage := errors.AsType[*usageError](err)
	_, badConfig := errors.AsType[config.Problems](err)
	if badUsage || badConfig {
		return cli.ExitUsage
	}

	return cli.ExitFailed
}

// errInterrupted is the cause of a context that a signal has ended.
var errInterrupted = errors.New("it was interrupted")

// untilSignal is cli.UntilSignal for the commands of this package.
func (p *program) untilSignal(ctx context.Context) (context.Context, func()) {
	return cli.UntilSignal(ctx, p.signals, errInterrupted)
}

// execute finds the command that args name, and runs it.
func (p *program) execute(ctx context.Context, args []string) error {
	root := p.rootCommand()
	root.SetArgs(append([]string{}, args...)) // nil would stand for the arguments of the process
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		return err
	}
	return p.helpProblem
}

// Groups of the list of commands.
const (
	groupAsk   = "ask"
	groupServe = "serve"
)

// rootCommand is the program with all its commands. Called without one it runs the service.
func (p *program) rootCommand() *cobra.Command {
	showVersion := false
	root := &cobra.Command{
		Use: "seraph [COMMAND]",
		Long: "Seraph runs GitHub deployments as CircleCI pipelines, and reports back to GitHub how they end.\n" +
			"Without a command it runs the service, as `seraph serve` does.\n\n" +
			"To ask a running service, set SERAPH_API_URL and SERAPH_API_TOKEN, or keep both once and for all:\n" +
			"`seraph config set-context NAME --url URL` asks for the token.",
		Example: "seraph deploy acme/api@main staging --watch\nseraph check --offline",

		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true}, // ours has an example

		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return nil
		},
		PersistentPreRunE: func(*cobra.Command, []string) error { return config.LoadEnvFiles(p.envFiles) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			if showVersion {
				return p.printVersion()
			}
			return p.serve(cmd.Context())
		},
	}

	root.Flags().BoolVar(&showVersion, "version", false, "print the version, as the command version does")
	root.PersistentFlags().BoolP("help", "h", false, "print this text")
	root.PersistentFlags().StringArrayVar(&p.envFiles, "env-file", nil,
		"read more variables from `FILE`, one NAME=VALUE a line; the environment wins\n"+
			"over the file, and a later --env-file over an earlier one")

	p.addCommands(root)
	root.SetHelpFunc(p.printHelp)
	root.SetFlagErrorFunc(flagMistake)
	reportMistakes(root)
	return root
}

// addCommands adds every command in the order of the help.
func (p *program) addCommands(root *cobra.Command) {
	root.AddGroup(
		&cobra.Group{ID: groupAsk, Title: "Commands:"},
		&cobra.Group{ID: groupServe, Title: "Commands for operators:"},
	)

	asking := cli.Commands(cli.Options{
		Stdin:     p.stdin,
		Stdout:    p.stdout,
		Stderr:    p.stderr,
		Interrupt: p.signals,
		EnvFiles:  &p.envFiles,
		Version:   version,
	})
	for _, c := range asking {
		c.GroupID = groupAsk
		root.AddCommand(c)
	}

	help := p.helpCommand()
	for _, c := range []*cobra.Command{
		p.serveCommand(),
		p.checkCommand(),
		p.routesCommand(),
		p.slackCommand(),
		p.backupCommand(),
		p.auditCommand(),
		p.versionCommand(),
		help,
	} {
		c.GroupID = groupServe
		root.AddCommand(c)
	}

	root.SetHelpCommand(help)
	root.SetHelpCommandGroupID(groupServe)
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "print the version, the commit and the version of Go",
		Example: "seraph version",
		RunE:    func(*cobra.Command, []string) error { return p.printVersion() },
	}
}

func (p *program) printVersion() error {
	_, err := fmt.Fprintf(p.stdout, "seraph %s (commit %s, %s)\n", version, commit, runtime.Version())
	return err
}
