// Command seraph runs GitHub deployments as CircleCI pipelines, and reports back to GitHub how they
// end.
//
// `seraph --help` lists the commands, `seraph COMMAND --help` shows the flags of one and an
// example, and `seraph help TOPIC` prints a page of the documentation.
//
// Exit codes: 0 clean end, 1 run-time failure, 2 bad configuration or usage. `seraph gate` adds 3,
// the deployment must wait, and 4, it is rejected.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version and commit are set by the linker.
var (
	version = "dev"
	commit  = "unknown"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // or a bad configuration
	exitWait   = 3
	exitReject = 4
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr, signals))
}
