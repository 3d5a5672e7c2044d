package grammar

import (
	"slices"
	"strings"
	"unicode"
)

// environmentMatch is an environment that a line names.
type environmentMatch struct {
	environment string
	hosts       string // what follows it after a slash
	words       int    // how many words it takes
}

// environment finds the environment that the words begin with. A name goes before a pattern, and a
// longer name before a shorter one.
func (a App) environment(words []string) (environmentMatch, bool) {
	var best environmentMatch
	for _, name := range a.environmentNames() {
		parts := strings.Fields(name)
		if len(parts) == 0 || len(parts) > len(words) {
			continue
		}

		hosts, found := cutEnvironment(strings.Join(words[:len(parts)], " "), strings.Join(parts, " "))
		if found && len(name) > len(best.environment) {
			best = environmentMatch{environment: name, hosts: hosts, words: len(parts)}
		}
	}
	if best.words > 0 {
		return best, true
	}

	if len(words) == 0 {
		return environmentMatch{}, false
	}
	return a.environmentOfPattern(words[0])
}

// cutEnvironment returns the hosts that follow an environment's name in a text; false: the text names
// another environment.
func cutEnvironment(text, name string) (hosts string, found bool) {
	if strings.EqualFold(text, name) {
		return "", true
	}
	if len(text) <= len(name)+1 || text[len(name)] != '/' || !strings.EqualFold(text[:len(name)], name) {
		return "", false
	}
	return text[len(name)+1:], true
}

// environmentOfPattern finds an environment that only a pattern allows. What looks like a misspelled name of
// another environment is refused: GitHub would create a new environment with that name.
func (a App) environmentOfPattern(word string) (environmentMatch, bool) {
	before, after, _ := strings.Cut(word, "/")
	for _, p := range []environmentMatch{{before, after, 1}, {word, "", 1}} {
		if !plainEnvironment(p.environment) || a.nearestEnvironment(p.environment) != "" {
			continue
		}

		matches := func(e Environment) bool { return e.Pattern() && match(e.Name, p.environment) }
		if slices.ContainsFunc(a.Environments, matches) {
			return p, true
		}
	}
	return environmentMatch{}, false
}

// plainEnvironment says whether a word can be the name of an environment. Punctuation at its end
// belongs to the sentence.
func plainEnvironment(word string) bool {
	ends := strings.TrimFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	other := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-/", r)
	}
	return word != "" && ends == word && !strings.ContainsFunc(word, other)
}

// match says whether a pattern matches a whole text. Case does not count.
func match(pattern, text string) bool {
	p, t := []rune(strings.ToLower(pattern)), []rune(strings.ToLower(text))
	star, after := -1, 0 // where the last * stands, and the text that it does not cover yet
	i, j := 0, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, after = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[j]):
			i++
			j++
		case star >= 0:
			after++
			i, j = star+1, after
		default:
			return false
		}
	}
	return strings.Trim(string(p[i:]), "*") == ""
}
