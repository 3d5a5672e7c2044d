package deploy

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/seraph-deploy/seraph/api"
	"github.com/seraph-deploy/seraph/pkg/route"
)

// routesExamples returns every routes file in deploy, and every one that a page shows, by where it is.
func routesExamples(t *testing.T) map[string]string {
	t.Helper()
	examples := map[string]string{}
	for _, file := range []string{"deploy/routes.example.yaml", "deploy/kubernetes/routes.yaml"} {
		examples[file] = read(t, file)
	}

	pages, err := filepath.Glob(filepath.Join(root, "deploy", "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}

	block := regexp.MustCompile("(?ms)^ *```yaml\n(.*?)^ *```$")
	for _, page := range append(pages, filepath.Join(root, "README.md")) {
		name, err := filepath.Rel(root, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range block.FindAllStringSubmatch(read(t, name), -1) {
			if regexp.MustCompile(`(?m)^routes:`).MatchString(found[1]) {
				examples[name+" "+firstLine(found[1])] = found[1]
			}
		}
	}

	return examples
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// TestRoutesSchema_AcceptsExamples checks that the schema and the parser accept every example.
func TestRoutesSchema_AcceptsExamples(t *testing.T) {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(api.RoutesSchema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("routes.schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("routes.schema.json")
	if err != nil {
		t.Fatal(err)
	}

	examples := routesExamples(t)
	if len(examples) < 4 {
		t.Fatalf("got %d examples, want those of deploy and of the pages on routes and rules", len(examples))
	}
	for name, text := range examples {
		t.Run(name, func(t *testing.T) {
			if _, err := route.Parse([]byte(text), "routes.yaml", route.Options{}); err != nil {
				t.Error(err)
			}
			if err := schema.Validate(asJSON(t, text)); err != nil {
				t.Error(err)
			}
		})
	}
}

// asJSON returns YAML as the values of JSON.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}

	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(encoded)))
	if err != nil {
		t.Fatal(err)
	}

	return document
}
