package deploy

import (
	"bufio"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/app"
	"github.com/seraph-deploy/seraph/pkg/config"
	"github.com/seraph-deploy/seraph/test/sim/control"
)

// TestSimulator_FitsTheExamples runs what `seraph check` runs, with deploy/example.env, deploy/simulator.env
// and the example routes, against a simulator with its defaults. It must find no error and no warning.
func TestSimulator_FitsTheExamples(t *testing.T) {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, "SERAPH_") {
			continue
		}

		t.Setenv(name, "") // restores the value after the test
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}

	t.Chdir(root)
	addresses := startSimulator(t)
	t.Setenv("SERAPH_GITHUB_API_URL", addresses["GitHub"])
	t.Setenv("SERAPH_CIRCLECI_API_URL", addresses["CircleCI"])
	t.Setenv("SERAPH_SLACK_API_URL", addresses["Slack"])
	if err := config.LoadEnvFiles([]string{"deploy/example.env", "deploy/simulator.env"}); err != nil {
		t.Fatal(err)
	}

	cfg, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}

	findings, err := app.Check(t.Context(), cfg, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Warnings) > 0 || len(findings) < 4 {
		t.Errorf("got warnings %q and findings %v, want no warning and findings about each project",
			cfg.Warnings, findings)
	}
	for _, finding := range findings {
		if !strings.HasPrefix(finding.String(), "ok: ") {
			t.Errorf("got %q, want ok", finding)
		}
	}
}

// startSimulator runs seraph-sim on free ports until the test ends, and returns the URLs of its APIs by vendor.
func startSimulator(t *testing.T) map[string]string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	exited := make(chan int, 1)
	go func() {
		args := []string{
			"-github", "127.0.0.1:0", "-circleci", "127.0.0.1:0", "-slack", "127.0.0.1:0", "-control", "127.0.0.1:0",
		}
		exited <- control.Run(ctx, args, func(string) string { return "" }, writer, io.Discard)
		_ = writer.Close()
	}()
	t.Cleanup(func() {
		cancel()
		_, _ = io.Copy(io.Discard, reader) // so that the simulator is not blocked when it prints
		<-exited
	})

	addresses := map[string]string{}
	lines := bufio.NewScanner(reader)
	for len(addresses) < 3 && lines.Scan() {
		for _, vendor := range []string{"GitHub", "CircleCI", "Slack"} {
			if address, ok := strings.CutPrefix(lines.Text(), vendor+" "); ok {
				addresses[vendor] = strings.TrimSpace(address)
			}
		}
	}

	return addresses
}
