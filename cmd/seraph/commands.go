package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/seraph-deploy/seraph/deploy/docs"
	"github.com/seraph-deploy/seraph/pkg/config"
)

// program is one run of the command line.
type program struct {
	stdout, stderr io.Writer
	signals        <-chan os.Signal
	envFiles       []string
}

// exitError ends the program with a code. Everything there is to say has been printed before.
type exitError struct{ code int }

// Error names the code.
func (e exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// run executes the command that args name, and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer, signals <-chan os.Signal) int {
	p := &program{stdout: stdout, stderr: stderr, signals: signals}
	if err := p.execute(ctx, args); err != nil {
		return p.exitCode(err)
	}
	return exitOK
}

// exitCode prints an error, and tells what it means for scripts.
func (p *program) exitCode(err error) int {
	if exit, ok := errors.AsType[exitError](err); ok {
		return exit.code
	}

	_, _ = fmt.Fprintln(p.stderr, err)
	_, badUsage := errors.AsType[*usageError](err)
	_, badConfig := errors.AsType[config.Problems](err)
	if badUsage || badConfig {
		return exitUsage
	}

	return exitFailed
}

// execute finds the command that args name, and runs it.
func (p *program) execute(ctx context.Context, args []string) error {
	called, words, err := p.parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return p.printHelp(called)
	}
	if err != nil {
		return err
	}

	if err := called.checkArguments(words); err != nil {
		return err
	}
	if err := config.LoadEnvFiles(p.envFiles); err != nil {
		return err
	}

	return called.run(ctx, words)
}

// commands lists every command in the order of the help.
func (p *program) commands() []*command {
	return []*command{
		p.serveCommand(),
		p.checkCommand(),
		p.routesCommand(),
		p.backupCommand(),
		p.gateCommand(),
		p.auditCommand(),
		p.auditVerifyCommand(),
		p.auditExportCommand(),
		p.healthCommand(),
		p.versionCommand(),
		p.helpCommand(),
	}
}

// rootCommand is the program called without a command: it runs the service.
func (p *program) rootCommand() *command {
	showVersion := false
	return &command{
		long: "Seraph runs GitHub deployments as CircleCI pipelines, and reports back to GitHub how they end.\n" +
			"Without a command it runs the service, as `seraph serve` does.",
		example: "seraph check --offline",
		flags: func(flags *flag.FlagSet) {
			flags.BoolVar(&showVersion, "version", false, "print the version, as the command version does")
		},
		run: func(ctx context.Context, _ []string) error {
			if showVersion {
				return p.printVersion()
			}

			return p.serve(ctx)
		},
	}
}

func (p *program) versionCommand() *command {
	return &command{
		name:    "version",
		short:   "print the version, the commit and the version of Go",
		example: "seraph version",
		run:     func(context.Context, []string) error { return p.printVersion() },
	}
}

func (p *program) printVersion() error {
	_, err := fmt.Fprintf(p.stdout, "seraph %s (commit %s, %s)\n", version, commit, runtime.Version())
	return err
}

// helpCommand prints a page of the documentation, or the help of a command. Where a topic and a
// command have one name, the topic is printed, because the command has --help.
func (p *program) helpCommand() *command {
	return &command{
		name:      "help",
		arguments: "[TOPIC | COMMAND]",
		short:     "print a page of the documentation, or the help of a command",
		long: "Print a page of the documentation, or the help of a command.\n\n" +
			"Topics:\n  " + strings.Join(docs.Topics(), "\n  "),
		example: "seraph help states",

		check: func(args []string) error {
			name := strings.Join(args, " ")
			known := append(docs.Topics(), p.names()...)
			if len(args) > 0 && !slices.Contains(known, name) {
				return fmt.Errorf("no topic and no command is called %q%s", name, suggestion(name, "", known))
			}

			return nil
		},
		run: func(_ context.Context, args []string) error { return p.help(args) },
	}
}

func (p *program) help(args []string) error {
	if len(args) == 0 {
		return p.printHelp(p.rootCommand())
	}

	if page, ok := docs.Page(strings.Join(args, " ")); ok {
		_, err := fmt.Fprint(p.stdout, page)
		return err
	}

	called, _, err := p.find(args)
	if err != nil {
		return err
	}

	return p.printHelp(called)
}
