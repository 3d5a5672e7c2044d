package config

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// LoadEnvFiles adds the variables of environment files to the process's environment, so that every
// command sees what the service sees. A variable that the environment has already, even an empty
// one, stays as it is; where several files set a variable, the last one wins. The error is
// Problems, or nil; with an error nothing is set.
func LoadEnvFiles(files []string) error {
	values := map[string]string{}
	var problems Problems
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			problems = append(problems, fmt.Sprintf("--env-file: %v", err))
			continue
		}

		problems = append(problems, parseEnvFile(file, string(content), values)...)
	}

	if len(problems) > 0 {
		return problems
	}

	for name, value := range values {
		if _, set := os.LookupEnv(name); set {
			continue
		}
		if err := os.Setenv(name, value); err != nil {
			return Problems{fmt.Sprintf("--env-file: set %s: %v", name, err)}
		}
	}

	return nil
}

// parseEnvFile adds the variables of one file to values. It reads what systemd, Docker and shells
// agree on: NAME=VALUE lines, comments, values in single or double quotes, which may hold new
// lines, and nothing is expanded. What they read differently is a problem. A problem names the file
// and the line, and never shows any of the text.
func parseEnvFile(file, text string, values map[string]string) Problems {
	text, err := decode(text)
	if err != nil {
		return Problems{fmt.Sprintf("%s: %v", file, err)}
	}

	var problems Problems
	text = strings.ReplaceAll(text, "\r\n", "\n")
	for line := 1; text != ""; {
		name, value, rest, err := cutAssignment(text)
		switch {
		case err != nil:
			problems = append(problems, fmt.Sprintf("%s:%d: %v", file, line, err))
		case name != "":
			values[name] = value
		}

		line += strings.Count(text, "\n") - strings.Count(rest, "\n")
		text = rest
	}

	return problems
}

// What is wrong with a line of an environment file, and what would be right.
var (
	errAssignment = errors.New("want NAME=VALUE, or a comment that begins with #")
	errComment    = errors.New("a value that holds a # must be in quotes, and a comment needs a line of its own")
	errAfterQuote = errors.New("nothing may follow the closing quote: write the whole value in one pair of quotes")
	errOpenQuote  = errors.New("the closing quote of the value is missing")
)

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// cutAssignment reads the first line of text, or several where a quoted value goes on. The name of
// a blank line and of a comment is empty.
func cutAssignment(text string) (name, value, rest string, err error) {
	line, rest, _ := strings.Cut(text, "\n")
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' || line[0] == ';' {
		return "", "", rest, nil
	}

	name, _, found := strings.Cut(line, "=")
	name = strings.TrimPrefix(name, "export ")
	if !found || !envName.MatchString(name) {
		return "", "", rest, errAssignment
	}

	_, value, _ = strings.Cut(text, "=")
	value = strings.TrimLeft(value, " \t")
	if strings.HasPrefix(value, `"`) || strings.HasPrefix(value, "'") {
		value, rest, err = cutQuoted(value)
		return name, value, rest, err
	}

	value, _, _ = strings.Cut(value, "\n")
	value = strings.TrimSpace(value)
	if strings.HasPrefix(value, "#") || strings.Contains(value, " #") || strings.Contains(value, "\t#") {
		return "", "", rest, errComment
	}

	return name, value, rest, nil
}

// cutQuoted reads a value in quotes, and the end of its line. In double quotes a backslash escapes
// " \ $ and `, as in shells; before anything else it is a backslash.
func cutQuoted(text string) (value, rest string, err error) {
	quote := text[0]
	var content strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == quote:
			after, rest, _ := strings.Cut(text[i+1:], "\n")
			if strings.TrimSpace(after) != "" {
				return "", rest, errAfterQuote
			}

			return content.String(), rest, nil
		case quote == '"' && text[i] == '\\' && i+1 < len(text) && strings.IndexByte("\"\\$`", text[i+1]) >= 0:
			i++
		}

		content.WriteByte(text[i])
	}

	return "", "", errOpenQuote
}
