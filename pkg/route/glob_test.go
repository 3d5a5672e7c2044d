package route

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestGlob_Property compares globs with regular expressions, and checks that a glob matches whatever
// is matched by a glob that it covers.
func TestGlob_Property(t *testing.T) {
	globs := rapid.StringOfN(rapid.RuneFrom([]rune("ab/*?")), 0, 6, -1)
	texts := rapid.StringOfN(rapid.RuneFrom([]rune("abAB/")), 0, 6, -1)
	toRegexp := strings.NewReplacer(`\*`, ".*", `\?`, ".")
	matchesRegexp := func(glob, text string) bool {
		return regexp.MustCompile(`(?is)^` + toRegexp.Replace(regexp.QuoteMeta(glob)) + `$`).MatchString(text)
	}

	rapid.Check(t, func(r *rapid.T) {
		g, other, text := globs.Draw(r, "glob"), globs.Draw(r, "other"), texts.Draw(r, "text")
		if got, want := glob(g).match(text), matchesRegexp(g, text); got != want {
			r.Fatalf("match %q with %q: got %v, want %v", text, g, got, want)
		}
		if glob(g).covers(glob(other)) && glob(other).match(text) && !glob(g).match(text) {
			r.Fatalf("%q covers %q, but does not match %q", g, other, text)
		}
	})
}

func TestGlob_Covers(t *testing.T) {
	for _, c := range []struct {
		glob  glob
		other glob
		want  bool
	}{
		{glob: "*", other: "prod*", want: true},
		{glob: "prod*", other: "*", want: false},
		{glob: "a/*", other: "A/b", want: true},
		{glob: "?", other: "a", want: true},
		{glob: "?", other: "*", want: false},
		{glob: "*a*", other: "*a", want: true},
		{glob: "a*", other: "a", want: true},
	} {
		t.Run(string(c.glob+" covers "+c.other), func(t *testing.T) {
			if got := c.glob.covers(c.other); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
