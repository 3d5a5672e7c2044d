package docs_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/deploy/docs"
)

// TestTopics_MatchFiles compares the list of topics with the Markdown files of this folder.
func TestTopics_MatchFiles(t *testing.T) {
	names, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, name := range names {
		want = append(want, strings.TrimSuffix(name, ".md"))
	}

	got := docs.Topics()

	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if !slices.IsSorted(got) {
		t.Errorf("got %v, want the topics in alphabetical order", got)
	}
}

// TestPage_ReturnsFile reads every page through the package and compares it with the file.
func TestPage_ReturnsFile(t *testing.T) {
	for _, topic := range docs.Topics() {
		t.Run(topic, func(t *testing.T) {
			want, err := os.ReadFile(topic + ".md")
			if err != nil {
				t.Fatal(err)
			}

			got, ok := docs.Page(topic)

			if !ok || got != string(want) {
				t.Errorf("got ok=%v and %d bytes, want true and %d bytes", ok, len(got), len(want))
			}
			if !strings.HasPrefix(got, "# ") {
				t.Errorf("got %.40q, want a page that begins with its title", got)
			}
		})
	}
}

// TestPage_UnknownTopic wants false for every name that is not in the list of topics.
func TestPage_UnknownTopic(t *testing.T) {
	cases := []struct {
		name  string
		topic string
	}{
		{name: "empty", topic: ""},
		{name: "unknown word", topic: "no-such-topic"},
		{name: "with extension", topic: "states.md"},
		{name: "another case", topic: "STATES"},
		{name: "parent folder", topic: "../docs/states"},
		{name: "absolute path", topic: "/states"},
		{name: "NUL byte", topic: "states\x00"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			text, ok := docs.Page(c.topic)
			if ok || text != "" {
				t.Errorf("got ok=%v and %q, want no page", ok, text)
			}
		})
	}
}
