// Command seraph runs GitHub deployments as CircleCI pipelines, and reports back to GitHub how they
// end.
//
// `seraph --help` lists the commands, `seraph COMMAND --help` shows the flags of one and an
// example, and `seraph help TOPIC` prints a page of the documentation.
//
// Exit codes: 0 clean end, 1 run-time failure, 2 bad configuration or usage. Commands that ask about a
// deployment add 3, it waits or has not ended, 4, it is rejected, and 5, it was canceled.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version and commit are set by the linker.
var (
	version = "dev"
	commit  = "unknown"
)

// init keeps the commands in the order in which the help lists them.
func init() { cobra.EnableCommandSorting = false }

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr, signals))
}
