// Command seraph-sim is GitHub and CircleCI on your laptop, as one program: both speak real HTTP, keep everything in
// memory and can be told to misbehave.
//
//	seraph-sim                  # GitHub on :9001, CircleCI on :9002, control on :9003
//	seraph-sim --scenarios      # what can be played
//
// Point Seraph at it:
//
//	SERAPH_GITHUB_API_URL=http://127.0.0.1:9001      SERAPH_GITHUB_TOKEN=simulated-github-token
//	SERAPH_GITHUB_WEBHOOK_SECRETS=simulated-github-secret
//	SERAPH_CIRCLECI_API_URL=http://127.0.0.1:9002/api/v2   SERAPH_CIRCLECI_TOKEN=simulated-circleci-token
//	SERAPH_CIRCLECI_WEBHOOK_SECRETS=simulated-circleci-secret
//
// Then deploy, watch and interfere:
//
//	curl -N localhost:9003/events
//	curl localhost:9003/deploy -d '{"repository":"acme/api","environment":"staging"}'
//	curl localhost:9003/deploy -d '{"repository":"acme/api","environment":"staging","github_scenario":"webhook-twice"}'
//	curl localhost:9003/faults -d '{"side":"github","operation":"create status","fault":"lost-answer"}'
//
// Package test/sim/control describes the control API, -h the flags.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/seraph-deploy/seraph/test/sim/control"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := control.Run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
