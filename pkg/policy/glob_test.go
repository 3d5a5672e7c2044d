package policy

import "testing"

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		glob string
		text string
		want bool
	}{
		{glob: "", text: "", want: true},
		{glob: "*", text: "", want: true},
		{glob: "?", text: "", want: false},
		{glob: "**", text: "x", want: true},
		{glob: "a*c", text: "abbc", want: true},
		{glob: "a*c", text: "abb", want: false},
		{glob: "a*b*c", text: "a-b-b-c", want: true},
		{glob: "*/x", text: "a/b/x", want: true},
		{glob: "a?b", text: "a/b", want: true},
		{glob: "v?.?", text: "v1.2", want: true},
		{glob: "?", text: "ü", want: true},
		{glob: "??", text: "ü", want: false},
		{glob: "*ü", text: "aüü", want: true},
		{glob: "A", text: "a", want: false},
		{glob: "[a]", text: "a", want: false},
		{glob: "a.c", text: "abc", want: false},
	} {
		t.Run(c.glob+" on "+c.text, func(t *testing.T) {
			if got := Match(c.glob, c.text); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
