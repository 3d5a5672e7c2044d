package route

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a routes file.
type Problem struct {
	File string
	Line int // 0: the whole file
	Text string
}

// String returns "file:line: text".
func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
}

// ParseError lists everything that is wrong with a routes file, by line.
type ParseError []Problem

// Error returns the problems, one a line.
func (err ParseError) Error() string {
	lines := make([]string, len(err))
	for i, p := range err {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// sorted returns the problems by line, each once: what is wrong with a default is found with every route
// that takes it.
func (err ParseError) sorted() ParseError {
	var distinct ParseError
	seen := map[Problem]bool{}
	for _, p := range err {
		if !seen[p] {
			seen[p] = true
			distinct = append(distinct, p)
		}
	}

	slices.SortStableFunc(distinct, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return distinct
}

// Nearest returns the known name that a misspelt one was probably meant to be, or "".
func Nearest(name string, known []string) string {
	nearest, fewest := "", 1+len(name)/3
	for _, k := range known {
		d := editDistance(strings.ToLower(name), strings.ToLower(k))
		if d <= fewest && (nearest == "" || d < fewest) {
			nearest, fewest = k, d
		}
	}
	return nearest
}

// editDistance returns how many bytes must be added, removed or replaced to turn one text into
// another (Levenshtein). row holds the distances between the part of a so far and each prefix of b.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}

	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replaced := diagonal
			if a[i-1] != b[j-1] {
				replaced++
			}

			diagonal = row[j]
			row[j] = min(replaced, row[j]+1, row[j-1]+1)
		}
	}

	return row[len(b)]
}
