package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestRun_SlackManifest(t *testing.T) {
	clearEnvironment(t)
	code, stdout, stderr := call(t, "slack", "manifest", "--url", "https://seraph.example.com")
	if code != 0 || !json.Valid([]byte(stdout)) {
		t.Errorf("got exit code %d and %q, want a manifest", code, stdout)
	}
	if want := "\nhttps://api.slack.com/apps?"; !strings.Contains(stderr, want) {
		t.Errorf("got %q, want the link %q", stderr, want)
	}
}

// TestRun_SlackManifestAddress refuses addresses that Slack does not call.
func TestRun_SlackManifestAddress(t *testing.T) {
	for _, c := range []struct{ name, address string }{
		{name: "none"},
		{name: "not encrypted", address: "http://seraph.example.com"},
		{name: "no host", address: "https://"},
		{name: "query", address: "https://seraph.example.com?x=1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			clearEnvironment(t)
			code, stdout, stderr := call(t, "slack", "manifest", "--url", c.address)
			const want = "seraph: --url must be an address that begins with https://"
			if code != 2 || stdout != "" || !strings.HasPrefix(stderr, want) {
				t.Errorf("got exit code %d, %q and %q, want 2 and %q", code, stdout, stderr, want)
			}
		})
	}
}
