// Command seraph-sim is a simulated GitHub, a simulated CircleCI and a simulated Slack on one machine. They
// speak real HTTP, keep everything in memory, and can be made to fail. It prints a line for each thing that
// happens.
//
//	seraph-sim                  # GitHub on :9001, CircleCI on :9002, control on :9003, Slack on :9004
//	seraph-sim --scenarios      # what can be played
//
// It has the repositories, the project and the pipeline definition of deploy/routes.example.yaml.
// Seraph finds it with the settings in deploy/simulator.env:
//
//	make sim
//	make run ENV_FILE=deploy/simulator.env
//
// Then deploy, change what GitHub knows, and make calls fail:
//
//	curl localhost:9003/deploy -d '{"repository":"acme/api","environment":"staging"}'
//	curl localhost:9003/deploy -d '{"repository":"acme/api","environment":"staging","github_scenario":"webhook-twice"}'
//	curl localhost:9003/facts -d '{"repository":"acme/shop","branches":{"release/1":"main"},"tags":{"v1":""}}'
//	curl localhost:9003/faults -d '{"side":"github","operation":"create status","fault":"lost-answer"}'
//
// Speak to the app in Slack, and press its buttons, in a browser at http://127.0.0.1:9003 or by its API:
//
//	curl localhost:9003/slack/say -d '{"user":"alice","channel":"deploys","text":"/deploy acme/api to staging"}'
//	curl localhost:9003/slack/messages
//	curl localhost:9003/slack/click -d '{"user":"bob","channel":"deploys","ts":"…","action":"seraph_approve"}'
//
// CircleCI builds the branches and tags that GitHub has at that moment. Package test/sim/control
// describes the control API, and -h the flags.
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
