package slack_test

import (
	"bytes"
	_ "embed"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/seraph-deploy/seraph/pkg/slack"
)

// manifestSchema is Slack's own schema of app manifests (slackapi/manifest-schema, MIT licence).
//
//go:embed testdata/manifest.schema.json
var manifestSchema []byte

// TestManifest_IsValid checks the manifest by Slack's schema, which allows no field that it does not know.
func TestManifest_IsValid(t *testing.T) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(manifestSchema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseRegexpEngine(func(pattern string) (jsonschema.Regexp, error) {
		// Go has no look-ahead. Only the patterns of domains have one, and the manifest names no domain.
		return regexp.Compile(strings.ReplaceAll(pattern, "(?![\\.\\-])", ""))
	})
	if err := compiler.AddResource("manifest.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("manifest.json")
	if err != nil {
		t.Fatal(err)
	}

	m := slack.NewManifest(&url.URL{Scheme: "https", Host: "seraph.example.com", Path: "/base"})
	text, err := m.JSON()
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("the manifest is not valid: %v", err)
	}
	if want := `"https://seraph.example.com/base/webhooks/slack"`; bytes.Count(text, []byte(want)) != 4 {
		t.Errorf("got %s, want the address %s four times", text, want)
	}
}

func TestManifest_CreateURL(t *testing.T) {
	m := slack.NewManifest(&url.URL{Scheme: "https", Host: "seraph.example.com"})
	link, err := m.CreateURL()
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}

	manifest, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(u.Query().Get("manifest_json"))))
	if err != nil {
		t.Fatalf("the link has no manifest: %v", err)
	}
	if _, ok := manifest.(map[string]any)["features"]; u.Host != "api.slack.com" || !ok {
		t.Errorf("got %s, want a link to api.slack.com with the manifest", link)
	}
}
