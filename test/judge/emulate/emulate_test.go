// Package emulate tests our clients against emulate, a simulator of Slack and GitHub that others wrote
// (github.com/vercel-labs/emulate): where our own simulators repeat a mistake of our clients, it does not. `make judges`
// installs it.
package emulate

import (
	"bufio"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// start runs a service of emulate until the test ends, and returns its address. seed are the accounts, channels and
// tokens that exist at the beginning. Where emulate is not installed the test is skipped; with CI=true it fails.
func start(t *testing.T, service string, seed any) *url.URL {
	t.Helper()
	if _, err := os.Stat("node_modules/emulate/package.json"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("find emulate: %v: run make judges", err)
		}
		t.Skipf("find emulate: %v: run make judges, which needs Node 20 and npm", err)
	}

	order, err := json.Marshal(map[string]any{"service": service, "seed": map[string]any{service: seed}})
	if err != nil {
		t.Fatal(err)
	}

	node := exec.Command("node", "serve.mjs")
	node.Stderr = os.Stderr
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // it ends with its input
		_ = node.Wait()
	})

	if _, err := in.Write(append(order, '\n')); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("read address of emulate: %v", err)
	}
	base, err := url.Parse(strings.Replace(strings.TrimSpace(line), "localhost", "127.0.0.1", 1))
	if err != nil {
		t.Fatal(err)
	}

	return base
}
