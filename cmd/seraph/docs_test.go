package main

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/seraph-deploy/seraph/deploy/docs"
)

var (
	shellBlock = regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```$")
	shellWord  = regexp.MustCompile(`(?:[^\s"'<|>]|"[^"]*"|'[^']*')+`)
	comment    = regexp.MustCompile(`\s#.*$`)
)

// commandLines returns the commands of the program in a text, without what a shell does with their output.
func commandLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(comment.ReplaceAllString(strings.TrimSpace(line), ""))
		line = strings.TrimSuffix(strings.TrimPrefix(line, "source <("), ")")
		line = strings.TrimPrefix(line, "bin/") // where make has built it
		if rest, ok := strings.CutPrefix(line, "seraph "); ok {
			rest, _, _ = strings.Cut(rest, " | ")
			rest, _, _ = strings.Cut(rest, " > ")
			lines = append(lines, rest)
		}
	}
	return lines
}

// accepts checks that the program takes a command line, without running it.
func accepts(line string) error {
	var words []string
	for _, word := range shellWord.FindAllString(line, -1) {
		word = strings.ReplaceAll(word, "$(git rev-parse HEAD)", strings.Repeat("a", 40))
		words = append(words, strings.NewReplacer(`"`, "", "'", "").Replace(word))
	}

	found, rest, err := (&program{}).rootCommand().Find(words)
	if err != nil {
		return err
	}
	if err := found.ParseFlags(rest); err != nil {
		return err
	}
	return found.ValidateArgs(found.Flags().Args())
}

// TestDocs_CommandLines checks that the program takes every command line of the pages and of its own help.
func TestDocs_CommandLines(t *testing.T) {
	count := 0
	check := func(where, text string) {
		for _, line := range commandLines(text) {
			count++
			if err := accepts(line); err != nil {
				t.Errorf("%s: seraph %s: %v", where, line, err)
			}
		}
	}

	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}

	pages := map[string]string{"README.md": string(readme)}
	for _, topic := range docs.Topics() {
		pages["deploy/docs/"+topic+".md"], _ = docs.Page(topic)
	}
	for name, page := range pages {
		for _, block := range shellBlock.FindAllStringSubmatch(page, -1) {
			check(name, block[1])
		}
	}

	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if commandLines(cmd.Example) == nil {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		check(cmd.CommandPath(), cmd.Example)
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk((&program{}).rootCommand())

	if count < 60 {
		t.Errorf("got %d command lines, want those of the pages and of the help", count)
	}
}

// TestReadme_LinesOfRoutes checks that the lines of the routes file that README.md shows in the output of
// `seraph check` begin those routes.
func TestReadme_LinesOfRoutes(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	routes, err := os.ReadFile("../../deploy/routes.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(routes), "\n")

	shown := regexp.MustCompile(`line (\d+) \((\S+) to `).FindAllStringSubmatch(string(readme), -1)

	for _, s := range shown {
		number, _ := strconv.Atoi(s[1])
		want := "- repository: " + s[2]
		if number < 1 || number > len(lines) || strings.TrimSpace(lines[number-1]) != want {
			t.Errorf("README.md shows %q, but line %d is not %q", s[0], number, want)
		}
	}
	if len(shown) == 0 {
		t.Error("got no lines of the routes file in README.md")
	}
}
