package grammar

import (
	"slices"
	"strings"
	"unicode"
)

// otherEnvironments are other names that people use for environments.
var otherEnvironments = map[string]string{
	"live":  "production",
	"prd":   "production",
	"stage": "staging",
	"stg":   "staging",
}

// otherVerbs are what other tools call a verb.
var otherVerbs = map[string]Verb{
	"abort":    Cancel,
	"deployed": Deploys,
	"explain":  Why,
	"history":  Deploys,
	"info":     Status,
	"list":     Status,
	"redeploy": Deploy,
	"release":  Deploy,
	"revert":   Rollback,
	"ship":     Deploy,
	"stop":     Cancel,
	"undo":     Rollback,
}

// nearest returns the candidate that a word was probably meant to be; empty: none is near. Words with
// other digits are never near: they are one of a series.
func nearest(word string, candidates []string) string {
	best, least := "", len(word)+1
	for _, c := range candidates {
		limit := max(1, (len(c)+1)/4)
		if digits(word) != digits(c) || len(word) > len(c)+2*limit || len(c) > len(word)+limit {
			continue
		}
		if d := editDistance(strings.ToLower(word), strings.ToLower(c)); d <= limit && d < least {
			best, least = c, d
		}
	}
	return best
}

// digits returns the digits of a word.
func digits(word string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, word)
}

// nearestEnvironment returns the environment that a word was probably meant to be: it is short for
// it, or nearly spelled like it.
func (a App) nearestEnvironment(word string) string {
	names := a.environmentNames()
	for _, name := range names {
		if len(word) >= 3 && len(word) < len(name) && strings.EqualFold(word, name[:len(word)]) {
			return name
		}
		if strings.EqualFold(name, otherEnvironments[strings.ToLower(word)]) {
			return name
		}
	}
	return nearest(word, names)
}

// nearestApp returns a word with the app that was probably meant; empty: none is near.
func (n Names) nearestApp(word string) string {
	all := cuts(word)
	all = append(all[:min(len(all)-1, 2)], len(word)) // an app has at most one slash
	for _, cut := range slices.Backward(all) {
		if app := nearest(word[:cut], n.words()); app != "" {
			return app + word[cut:]
		}
	}
	return ""
}

// nearestVerb returns the verb that a word was probably meant to be; empty: none is near.
func nearestVerb(word string) Verb {
	if v, ok := otherVerbs[word]; ok {
		return v
	}

	var words []string
	for _, v := range Verbs() {
		words = append(words, string(v))
	}
	return Verb(nearest(word, words))
}

// editDistance counts the letters that must be added, left out, replaced or swapped with their
// neighbor to make one word of another.
func editDistance(a, b string) int {
	s, t := []rune(a), []rune(b)
	rows := make([][]int, len(s)+1)
	for i := range rows {
		rows[i] = make([]int, len(t)+1)
		rows[i][0] = i
	}
	for j := range t {
		rows[0][j+1] = j + 1
	}

	for i := range s {
		for j := range t {
			cost := 1
			if s[i] == t[j] {
				cost = 0
			}
			best := min(rows[i][j+1]+1, rows[i+1][j]+1, rows[i][j]+cost)
			if i > 0 && j > 0 && s[i] == t[j-1] && s[i-1] == t[j] {
				best = min(best, rows[i-1][j-1]+1)
			}
			rows[i+1][j+1] = best
		}
	}
	return rows[len(s)][len(t)]
}
