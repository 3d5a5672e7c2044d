// Package cli is the part of the command line that asks a running service through its API: it deploys,
// watches, approves, locks and lists.
//
// Data goes to standard output, and what only tells how it is going to standard error. An exit code says
// how a deployment stands, see the constants.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seraph-deploy/seraph/pkg/api"
	"github.com/seraph-deploy/seraph/pkg/client"
	"github.com/seraph-deploy/seraph/pkg/config"
)

// Exit codes.
const (
	ExitOK       = 0 // done, or the deployment succeeded
	ExitFailed   = 1 // the deployment failed or errored, or the service could not be asked
	ExitUsage    = 2 // a mistake in the command line or in the configuration
	ExitWaiting  = 3 // the deployment must wait, or has not ended when the command stopped watching it
	ExitRejected = 4 // the rules rejected the deployment
	ExitCanceled = 5 // the deployment was canceled
)

// ExitError ends the program with a code. Everything there is to say has been printed before.
type ExitError struct{ Code int }

// Error names the code.
func (e ExitError) Error() string { return fmt.Sprintf("exit code %d", e.Code) }

// exit ends the program with a code, or goes on with ExitOK.
func exit(code int) error {
	if code == ExitOK {
		return nil
	}
	return ExitError{code}
}

// Options are what the commands need of the process.
type Options struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Interrupt      <-chan os.Signal // ends a command that waits; nil: nothing does
	EnvFiles       *[]string        // files of variables that completions read too; nil: there are none
	ConfigFile     string           // the file of contexts; empty: seraph/config.yaml in the user's folder for settings
	Version        string           // of the program, sent to the service
	Now            func() time.Time // nil: time.Now
	pace           pace             // in tests faster than usualPace
	http           *http.Client     // for tests in memory; nil: that of pkg/client
}

// commands are the commands of one run of the program, and the values of their common flags.
type commands struct {
	o           Options
	contextName string
	output      string
	person      *api.Person // for whom a token with the scope behalf asks; nil: the token asks for itself
}

// Commands makes the commands in the order of the help.
func Commands(o Options) []*cobra.Command {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.pace == (pace{}) {
		o.pace = usualPace
	}
	if o.ConfigFile == "" {
		o.ConfigFile = defaultConfigFile()
	}

	c := &commands{o: o}
	return []*cobra.Command{
		c.deployCommand(),
		c.rollbackCommand(),
		c.statusCommand(),
		c.listCommand(),
		c.showCommand(),
		c.watchCommand(),
		c.explainCommand(),
		c.approveCommand(),
		c.approveHoldCommand(),
		c.cancelCommand(),
		c.forceCommand(),
		c.lockCommand(),
		c.unlockCommand(),
		c.locksCommand(),
		c.gateCommand(),
		c.healthCommand(),
		c.whoAmICommand(),
		c.configCommand(),
		c.completionCommand(),
	}
}

// asking adds the flags that all commands have which ask the service, and makes run their work.
func (c *commands) asking(
	cmd *cobra.Command, run func(ctx context.Context, s *session, args []string) error,
) *cobra.Command {
	c.addContextFlag(cmd)
	c.addOutputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := c.open()
		if err != nil {
			return err
		}

		ctx, stop := c.interruptible(cmd.Context())
		defer stop()
		return s.explainFailure(ctx, run(ctx, s, args))
	}

	return cmd
}

// reading is like asking, for commands that only read: they fail if their answer cannot be printed.
func (c *commands) reading(
	cmd *cobra.Command, run func(ctx context.Context, s *session, args []string) error,
) *cobra.Command {
	return c.asking(cmd, func(ctx context.Context, s *session, args []string) error {
		err := run(ctx, s, args)
		if err == nil && s.out.failed != nil {
			return fmt.Errorf("print the answer: %w", s.out.failed)
		}
		return err
	})
}

func (c *commands) addContextFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.contextName, "context", "", "ask the service of this context, `NAME` "+
		"(seraph config get-contexts)")
	_ = cmd.RegisterFlagCompletionFunc("context", c.completeContexts) // fails only where there is no such flag
}

// acting is asking for commands that change something. Bots' tokens name the person who asks.
func (c *commands) acting(
	cmd *cobra.Command, run func(ctx context.Context, s *session, args []string) error,
) *cobra.Command {
	const usage = "with a token of the scope behalf: the person who asks, as `LOGIN:ID` at GitHub"
	cmd.Flags().Func("as", usage, func(text string) (err error) {
		c.person, err = parsePerson(text)
		return err
	})
	return c.asking(cmd, run)
}

// parsePerson reads LOGIN:ID.
func parsePerson(text string) (*api.Person, error) {
	login, number, _ := strings.Cut(text, ":")
	id, err := strconv.ParseInt(number, 10, 64)
	if login == "" || err != nil || id <= 0 {
		return nil, errors.New("write LOGIN:ID, such as alice:583231")
	}
	return &api.Person{ID: id, Login: login}, nil
}

// behalf names the person who asks, if there is one beside the token.
func (c *commands) behalf() api.OnBehalf { return api.OnBehalf{Actor: c.person} }

// addOutputFlag adds the flag --output, and its check before that of the arguments.
func (c *commands) addOutputFlag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&c.output, "output", "o", "table", "how to print, `table|json`; default table")
	_ = cmd.RegisterFlagCompletionFunc("output", fixed("table", "json"))

	check := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if c.output != "table" && c.output != "json" {
			return fmt.Errorf("--output must be table or json, not %q", c.output)
		}
		if check == nil {
			return wantArguments(0, 0, "no arguments")(cmd, args)
		}
		return check(cmd, args)
	}
}

// wantArguments checks the number of arguments. what says what they are.
func wantArguments(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > most && most > 0 {
			return fmt.Errorf("unexpected argument %q: %s needs %s", args[most], cmd.Name(), what)
		}
		if len(args) > most {
			return fmt.Errorf("unexpected argument %q", args[0])
		}
		if len(args) < least {
			return fmt.Errorf("%s needs %s", cmd.Name(), what)
		}
		return nil
	}
}

// errInterrupted is the cause of a context that a signal has ended.
var errInterrupted = errors.New("interrupted")

// interruptible returns a context that a signal ends.
func (c *commands) interruptible(ctx context.Context) (context.Context, func()) {
	return UntilSignal(ctx, c.o.Interrupt, errInterrupted)
}

// UntilSignal returns a context that the next signal ends, with a cause. The caller calls the function to release it.
func UntilSignal(ctx context.Context, signals <-chan os.Signal, cause error) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-signals:
			cancel(cause)
		case <-ctx.Done():
		}
	}()

	return ctx, func() {
		cancel(nil)
		<-done
	}
}

// session is one command that asks one service.
type session struct {
	o      Options
	client *client.Client
	source string // where the address comes from, for people
	url    string
	out    *screen // data
	notes  *screen // how it is going
	json   bool

	answered bool // the service has answered a request of this command
}

// open finds out which service to ask, and with which token. It asks nothing yet.
func (c *commands) open() (*session, error) {
	defaults, source, err := c.defaults()
	if err != nil {
		return nil, err
	}

	found, err := config.LoadClient(defaults)
	if err != nil {
		return nil, err
	}

	s := c.newSession(client.Options{URL: found.URL, Token: found.Token.Reveal()}, source)
	for _, warning := range found.Warnings {
		s.notes.line("warning: " + warning)
	}

	return s, nil
}

func (c *commands) newSession(o client.Options, source string) *session {
	o.UserAgent, o.HTTP = "seraph/"+c.o.Version, c.o.http
	return &session{
		o:      c.o,
		client: client.New(o),
		source: source,
		url:    o.URL.String(),
		out:    newScreen(c.o.Stdout),
		notes:  newScreen(c.o.Stderr),
		json:   c.output == "json",
	}
}

// print prints a document as one line of JSON, or as text for people.
func (s *session) print(document any, text func()) error {
	if s.json {
		return s.out.json(document)
	}
	text()
	return nil
}
