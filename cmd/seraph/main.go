// Command seraph carries GitHub deployments to CircleCI and brings the word back.
//
// Usage:
//
//	seraph [serve]            run the service
//	seraph check [--offline]  validate the configuration, then ask GitHub and CircleCI whether it is good
//	seraph backup FILE        copy the SQLite database to a new file while the service runs
//	seraph gate --repository OWNER/NAME --environment NAME --sha SHA [--ref REF] [--actor LOGIN]
//	                          ask a running service whether this may be deployed now
//	seraph audit verify [--head SEQ:HASH]
//	                          prove that the record of who did what is whole
//	seraph audit export       print it as JSON lines
//	seraph version            print what this is
//
// Exit codes: 0 clean end, 1 run-time failure, 2 bad configuration or usage. Of seraph gate: 0 it may go, 3 it must wait, 4 it may not.
package main

import (
	"context"
	"fmt"
	"io"
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
	exitConfig = 2
	exitWait   = 3
	exitReject = 4
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr, signals))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer, signals <-chan os.Signal) int {
	command := "serve"
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch {
	case command == "serve" && len(args) == 0:
		return serve(ctx, stderr, signals)
	case command == "check" && len(args) == 0:
		return check(ctx, stdout, stderr, false)
	case command == "check" && len(args) == 1 && (args[0] == "--offline" || args[0] == "-offline"):
		return check(ctx, stdout, stderr, true)
	case command == "backup" && len(args) == 1:
		return backup(ctx, args[0], stdout, stderr)
	case command == "gate":
		return gate(ctx, args, stdout, stderr)
	case command == "audit":
		return auditCommand(ctx, args, stdout, stderr)
	case command == "version" && len(args) == 0:
		_, _ = fmt.Fprintln(stdout, describe())
		return exitOK
	}
	return usage(stderr)
}

func auditCommand(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	switch {
	case len(args) == 1 && args[0] == "verify":
		return verifyAudit(ctx, "", stdout, stderr)
	case len(args) == 3 && args[0] == "verify" && args[1] == "--head":
		return verifyAudit(ctx, args[2], stdout, stderr)
	case len(args) == 1 && args[0] == "export":
		return exportAudit(ctx, stdout, stderr)
	default:
		return usage(stderr)
	}
}

func usage(stderr io.Writer) int {
	_, _ = fmt.Fprintln(stderr, "usage: seraph [serve] | seraph check [--offline] | seraph backup FILE | seraph gate … | seraph audit verify|export | seraph version")
	return exitConfig
}
