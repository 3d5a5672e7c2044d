package control

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRunWithoutServing(t *testing.T) {
	cases := map[string]struct {
		args []string
		code int
		says string
	}{
		"scenarios":    {[]string{"--scenarios"}, 0, "webhook-lost"},
		"help":         {[]string{"-h"}, 0, "SERAPH_SIM_CIRCLECI_TOKEN"},
		"unknown flag": {[]string{"-x"}, 2, "not defined: -x"},
		"argument":     {[]string{"serve"}, 2, "unexpected argument"},
		"bad address":  {[]string{"-github", "256.0.0.1:x"}, 1, "listen for the simulated GitHub"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			code := Run(t.Context(), c.args, func(string) string { return "" }, &out, &out)
			if code != c.code || !strings.Contains(out.String(), c.says) {
				t.Errorf("exit %d, %s", code, out.String())
			}
		})
	}
}

// TestRunServes starts the program on free ports, deploys, and ends it; the environment sets what flags do not.
func TestRunServes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	env := map[string]string{"SERAPH_SIM_GITHUB": "127.0.0.1:0", "SERAPH_SIM_CIRCLECI": "127.0.0.1:0", "SERAPH_SIM_CONTROL": "127.0.0.1:1", "SERAPH_SIM_WEBHOOK": "http://127.0.0.1:1/"}
	go func() {
		ended <- Run(ctx, []string{"-control", "127.0.0.1:0"}, func(name string) string { return env[name] }, writer, io.Discard)
	}()
	banner := make([]byte, 4096)
	n, err := reader.Read(banner)
	if err != nil {
		t.Fatal(err)
	}
	_, address, found := strings.Cut(string(banner[:n]), "control   ")
	if !found {
		t.Fatalf("it said %q", banner[:n])
	}
	resp, err := http.Post(strings.TrimSpace(address)+"/deploy", "application/json", strings.NewReader(`{"repository":"acme/api"}`))
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("deploy: %v %v", resp, err)
	}
	resp.Body.Close()
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("exit %d", code)
	}
}
