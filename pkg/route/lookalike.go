package route

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// skeleton returns what a name looks like: names that people can hardly tell apart have the same
// skeleton. It ignores case, white space and characters that are not shown, writes compatibility
// characters in their usual form, takes every dash for a hyphen, and replaces the letters in
// lookAlikes. It knows common look-alikes, not all of Unicode.
func skeleton(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKC.String(name) {
		if invisible(r) || unicode.IsSpace(r) {
			continue
		}

		latin, found := lookAlikes[r]
		switch {
		case found:
			r = latin
		case unicode.Is(unicode.Pd, r) || r == '−':
			r = '-'
		default:
			r = unicode.ToLower(unicode.ToUpper(r))
		}
		if latin, found := lookAlikes[r]; found {
			r = latin
		}

		b.WriteRune(r)
	}

	return b.String()
}

// invisible says whether a character is not shown: control and format characters, and others that
// Unicode lets a display ignore.
func invisible(r rune) bool {
	return unicode.IsControl(r) ||
		unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// lookAlikes maps characters that look like a Latin letter in lower case, or that are easily taken
// for one, to that letter. Upper case letters of other scripts stand in it where they look like
// another letter than their lower case does.
var lookAlikes = lookAlikeTable(map[rune]string{
	'a': "аɑα",
	'b': "вВβΒ",
	'c': "сϲς",
	'd': "ԁ",
	'e': "еҽεΕ",
	'f': "ғ",
	'g': "ɡց",
	'h': "һНнΗհ",
	'i': "іιΙı",
	'j': "јϳ",
	'k': "кκĸ",
	'l': "1ӏǀ∣|",
	'm': "мΜμ",
	'n': "пηΝո",
	'o': "0оοօσ",
	'p': "рρ",
	'q': "ԛ",
	'r': "гᴦ",
	's': "ѕꜱ",
	't': "тτΤ",
	'u': "υսц",
	'v': "ѵν",
	'w': "ԝωѡ",
	'x': "хχ×",
	'y': "уγΥү",
	'z': "ᴢΖζ",
})

func lookAlikeTable(likeLetter map[rune]string) map[rune]rune {
	table := map[rune]rune{}
	for letter, others := range likeLetter {
		for _, other := range others {
			table[other] = letter
		}
	}
	return table
}
