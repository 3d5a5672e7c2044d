package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/seraph-deploy/seraph/pkg/client"
	"github.com/seraph-deploy/seraph/pkg/config"
)

// gate asks a running service whether a deployment may go now, and tells scripts by the exit code.
func gate(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	query, ok := gateQuery(args, stderr)
	if !ok {
		return exitConfig
	}
	cfg, err := config.LoadClient()
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitConfig
	}
	v, err := client.New(client.Options{URL: cfg.URL, Token: cfg.Token.Reveal()}).Gate(ctx, query)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return exitFailed
	}
	show(v, stdout)
	switch v.Decision {
	case "allow":
		return exitOK
	case "wait":
		return exitWait
	default:
		return exitReject
	}
}

func gateQuery(args []string, stderr io.Writer) (url.Values, bool) {
	query := url.Values{}
	flags := flag.NewFlagSet("seraph gate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	for name, help := range map[string]string{
		"repository": "OWNER/NAME", "environment": "where it would go", "sha": "the commit, 40 or 64 hex digits",
		"ref": "branch or tag, where the route has the rule refs", "actor": "login of who would deploy, where the route has the rule allow",
		"task": "where it is not the usual one",
	} {
		flags.Func(name, help, func(v string) error { query.Set(name, v); return nil })
	}
	if err := flags.Parse(args); err != nil {
		return nil, false
	}
	for _, needed := range []string{"repository", "environment", "sha"} {
		if query.Get(needed) == "" || flags.NArg() > 0 {
			_, _ = fmt.Fprintln(stderr, "usage: seraph gate --repository OWNER/NAME --environment NAME --sha SHA [--ref REF] [--actor LOGIN] [--task TASK]")
			return nil, false
		}
	}
	return query, true
}

// show prints the decision and every rule's word.
func show(v client.Verdict, out io.Writer) {
	first := v.Decision
	if v.Reason != "" {
		first += ": " + v.Reason
	}
	if v.OpensAt != nil {
		first += " (until " + v.OpensAt.Format(time.RFC3339) + ")"
	}
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	_, _ = fmt.Fprintln(out, first)
	for _, r := range v.Rules {
		word := r.Decision
		if r.Forced {
			word += " (forced)"
		}
		_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", r.Rule, word, r.Code, r.Message)
	}
	_ = table.Flush() // what cannot be printed cannot be told
}
