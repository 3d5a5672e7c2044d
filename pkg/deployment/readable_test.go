package deployment

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestReadable(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{name: "plain", text: "Workflow build failed", want: "Workflow build failed"},
		{name: "NUL", text: "a\x00b", want: "a b"},
		{name: "new lines", text: "a\r\n\tb\u2028c", want: "a b c"},
		{name: "escape sequence of a terminal", text: "\x1b[31mred", want: "[31mred"},
		{name: "direction override", text: "deploy \u202etxt.exe", want: "deploy txt.exe"},
		{name: "isolates", text: "\u2066a\u2069", want: "a"},
		{name: "zero-width space and byte order mark", text: "a\u200bb\ufeffc", want: "abc"},
		{name: "only invisible", text: " \u200b\u200d ", want: ""},
		{name: "joiner inside a word", text: "क्\u200dष and می\u200cخواهم", want: "क्\u200dष and می\u200cخواهم"},
		{name: "family", text: "👨\u200d👩\u200d👧", want: "👨\u200d👩\u200d👧"},
		{name: "not UTF-8", text: "a\xffb", want: "a b"},
		{name: "too long", text: strings.Repeat("é", maxReadable+1), want: strings.Repeat("é", maxReadable-1) + "…"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Readable(test.text); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// isReadable says whether a text is one line without control and format characters, joiners aside.
func isReadable(s string) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxReadable && !strings.ContainsFunc(s, func(r rune) bool {
		joiner := r == zeroWidthJoiner || r == zeroWidthNonJoiner
		return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && !joiner || unicode.In(r, unicode.Zl, unicode.Zp)
	})
}

func FuzzReadable(f *testing.F) {
	f.Add("a\x00b\u202ec\u200d")
	f.Fuzz(func(t *testing.T, text string) {
		got := Readable(text)
		if !isReadable(got) {
			t.Errorf("got %q of %q, which people cannot read", got, text)
		}
		if again := Readable(got); again != got {
			t.Errorf("got %q and then %q of %q, want the same", got, again, text)
		}

		description := clean(text)
		if !isReadable(description) || utf8.RuneCountInString(description) > MaxDescription {
			t.Errorf("got the description %q of %q", description, text)
		}
	})
}
