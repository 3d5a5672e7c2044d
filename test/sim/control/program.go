package control

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// Run is the whole program. It returns when ctx ends, with the exit code: 0 for a normal end, 1
// when something cannot be started, 2 for invalid flags.
func Run(ctx context.Context, args []string, getenv func(string) string, out, problems io.Writer) int {
	config, err := Parse(args, getenv, problems)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case config.ListScenarios:
		printScenarios(out)
		return 0
	}

	if err := serve(ctx, config, out); err != nil {
		fmt.Fprintln(problems, "seraph-sim:", err) // the exit code reports the error too
		return 1
	}

	return 0
}

// serve starts GitHub, CircleCI and the control API, prints their addresses, and stops them when
// ctx ends.
func serve(ctx context.Context, config Config, out io.Writer) error {
	gh := github.New(config.githubOptions())
	defer gh.Close()
	if err := gh.Start(config.GitHub); err != nil {
		return err
	}

	for login, id := range config.People {
		gh.AddUserWithID(login, id)
	}

	for name := range strings.SplitSeq(config.Repositories, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}

		gh.AddRepository(name)
		for login := range config.People {
			gh.SetRole(name, login, "write")
		}
	}

	ci, err := startCircleCI(config, gh)
	if err != nil {
		return err
	}

	defer ci.Close()
	listener, err := net.Listen("tcp", config.Control)
	if err != nil {
		return fmt.Errorf("listen for the control API: %w", err)
	}

	control := New(gh, ci, config.AppProjects...)
	server := &http.Server{Handler: control.Handler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	// A failed write means that the terminal is closed, which does not stop the program.
	fmt.Fprintf(out, "GitHub    %s\nCircleCI  %s\ncontrol   http://%s\n", gh.URL(), ci.URL(), listener.Addr())
	fmt.Fprintf(
		out,
		"\nTo deploy: curl http://%s/deploy -d '{\"repository\":\"acme/api\",\"environment\":\"staging\"}'\n\n",
		listener.Addr(),
	) // the same

	ctx, stop := context.WithCancel(ctx)
	var printing sync.WaitGroup
	printing.Go(func() { control.printEvents(ctx, out) })
	defer printing.Wait()
	defer stop()
	select {
	case <-ctx.Done():
		server.Close() // the program ends anyway
		<-failed
		return nil
	case err := <-failed:
		return err
	}
}

func (c Config) githubOptions() github.Options {
	options := github.Options{Token: c.Token, WebhookURL: c.Webhook, WebhookSecret: c.Secret}
	if c.Enterprise {
		options.BasePath = "/api/v3"
	}
	return options
}

func printScenarios(out io.Writer) {
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "scenario (CircleCI):") // a failed write means that the terminal is closed
	for _, s := range circleciScenarios() {
		fmt.Fprintf(table, "  %s\t%s\n", s[0], s[1]) // the same
	}

	fmt.Fprintln(table, "github_scenario:") // the same
	for _, s := range github.Scenarios() {
		fmt.Fprintf(table, "  %s\t%s\n", s.Name, s.About) // the same
	}

	table.Flush() // the same
}
