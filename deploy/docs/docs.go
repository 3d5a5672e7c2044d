// Package docs holds the operator's documentation, one Markdown page per topic, and embeds it in the binary.
//
// The pages are embedded so that `seraph help TOPIC` prints the text that belongs to the running version.
package docs

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

//go:embed *.md
var files embed.FS

// Topics returns the names of all pages in alphabetical order.
func Topics() []string {
	// The pattern is a constant that path.Match accepts, so Glob cannot fail. It returns names in lexical order.
	names, _ := fs.Glob(files, "*.md")

	for i, name := range names {
		names[i] = strings.TrimSuffix(name, path.Ext(name))
	}

	return names
}

// Page returns the Markdown text of a topic, and false when there is no such topic.
func Page(topic string) (text string, ok bool) {
	content, err := files.ReadFile(topic + ".md")
	if err != nil {
		return "", false
	}

	return string(content), true
}
