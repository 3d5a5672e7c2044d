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
	"time"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// Run is the whole program: it returns when ctx ends, with the exit code: 0 for a clean end, 1 when something cannot
// be started, 2 for a wrong flag.
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
		fmt.Fprintln(problems, "seraph-sim:", err) // nothing to be done
		return 1
	}
	return 0
}

// serve starts GitHub, CircleCI and the control, says where they are, and stops them when ctx ends.
func serve(ctx context.Context, config Config, out io.Writer) error {
	gh := github.New(config.githubOptions())
	defer gh.Close()
	if err := gh.Start(config.GitHub); err != nil {
		return err
	}
	for name := range strings.SplitSeq(config.Repositories, ",") {
		if name = strings.TrimSpace(name); name != "" {
			gh.AddRepository(name)
		}
	}
	ci, err := startCircleCI(config)
	if err != nil {
		return err
	}
	defer ci.Close()
	listener, err := net.Listen("tcp", config.Control)
	if err != nil {
		return fmt.Errorf("listen for the control API: %w", err)
	}
	server := &http.Server{Handler: New(gh, ci).Handler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	fmt.Fprintf(out, "GitHub    %s\nCircleCI  %s\ncontrol   http://%s\n", gh.URL(), ci.URL(), listener.Addr()) // as above
	select {
	case <-ctx.Done():
		server.Close() // all is over
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
	fmt.Fprintln(out, "scenario (CircleCI):") // as above
	for _, s := range circleciScenarios() {
		fmt.Fprintf(out, "  %-20s %s\n", s[0], s[1]) // as above
	}
	fmt.Fprintln(out, "github_scenario:") // as above
	for _, s := range github.Scenarios() {
		fmt.Fprintf(out, "  %-20s %s\n", s.Name, s.About) // as above
	}
}
