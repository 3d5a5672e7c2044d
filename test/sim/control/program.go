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
	"github.com/seraph-deploy/seraph/test/sim/slack"
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

// serve starts GitHub, CircleCI, Slack and the control API, prints their addresses, and stops them when
// ctx ends.
func serve(ctx context.Context, config Config, out io.Writer) error {
	gh, err := startGitHub(config)
	if err != nil {
		return err
	}

	defer gh.Close()
	ci, err := startCircleCI(config, gh)
	if err != nil {
		return err
	}

	defer ci.Close()
	sl, err := startSlack(config)
	if err != nil {
		return err
	}

	defer sl.Close()
	listener, err := net.Listen("tcp", config.Control)
	if err != nil {
		return fmt.Errorf("listen for the control API: %w", err)
	}

	control := New(gh, ci, sl, config.AppProjects...)
	server := &http.Server{Handler: control.Handler(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	// A failed write means that the terminal is closed, which does not stop the program.
	fmt.Fprintf(
		out,
		"GitHub    %s\nCircleCI  %s\nSlack     %s\ncontrol   http://%s\n",
		gh.URL(),
		ci.URL(),
		sl.URL(),
		listener.Addr(),
	)
	fmt.Fprintf(
		out,
		"\nTo deploy: curl http://%s/deploy -d '{\"repository\":\"acme/api\",\"environment\":\"staging\"}'\n\n",
		listener.Addr(),
	) // the same
	fmt.Fprintf(out, "Slack in a browser: http://%s/\n\n", listener.Addr()) // the same

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

// startGitHub starts a GitHub simulator with the people and repositories of the settings.
func startGitHub(c Config) (*github.Server, error) {
	gh := github.New(c.githubOptions())
	if err := gh.Start(c.GitHub); err != nil {
		return nil, err
	}

	gh.AddOAuthApp(github.OAuthApp{
		ClientID:     clientID,
		ClientSecret: clientSecret,
		Callback:     c.Callback,
		GitHubApp:    true,
	})
	for login, id := range c.People {
		gh.AddUserWithID(login, id)
	}

	for _, team := range exampleTeams {
		gh.AddTeam("acme", team)
		for login := range c.People {
			gh.SetTeamMember("acme", team, login, "active")
		}
	}

	for name := range strings.SplitSeq(c.Repositories, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}

		gh.AddRepository(name)
		for login := range c.People {
			gh.SetRole(name, login, "write")
		}
	}

	return gh, nil
}

// startSlack starts a Slack simulator with the people and channels of the settings.
func startSlack(c Config) (*slack.Server, error) {
	server := slack.New(slack.Options{
		Token:         c.SlackToken,
		SigningSecret: c.SlackSecret,
		Commands:      []string{"/deploy", "/seraph"},
		RequestURL:    c.SlackWebhook,
	})
	for name, id := range c.SlackPeople {
		server.AddUser(slack.User{ID: id, Name: name})
	}
	for name, id := range c.SlackGuests {
		server.AddUser(slack.User{ID: id, Name: name, Restricted: true})
	}
	for name, id := range c.SlackChannels {
		server.AddChannel(slack.Channel{ID: id, Name: name})
	}

	return server, server.Start(c.Slack)
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
