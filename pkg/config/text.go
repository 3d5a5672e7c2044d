package config

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// byteOrderMark is what editors of Windows write before UTF-8 text.
const byteOrderMark = "\ufeff"

// What is wrong with a text, and what would be right.
var (
	errNotUTF8   = errors.New("not text in UTF-8: save it as UTF-8")
	errInvisible = errors.New("contains a character that nobody sees, such as a no-break or zero-width space: " +
		"type it anew, or create a new one")
)

// decode returns a text without its byte order mark, which is no content. Text in another encoding is
// refused, because every rune of it would be taken for another one.
func decode(text string) (string, error) {
	text = strings.TrimPrefix(text, byteOrderMark)
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return "", errNotUTF8
	}
	return text, nil
}

// readTextFile reads a file that people write. The error names neither the file nor its content.
func readTextFile(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read the file: %w", err)
	}

	text, err := decode(string(content))
	if err != nil {
		return "", fmt.Errorf("the file is %w", err)
	}

	return text, nil
}

// isInvisible says whether a rune shows nothing of its own on a screen. In a secret such a rune comes
// from copying, never from a generator, and nobody finds it. Line ends and tabs are left to the rules
// of each variable.
func isInvisible(r rune) bool {
	switch {
	case r == ' ', r == '\n', r == '\r', r == '\t':
		return false
	case !unicode.IsGraphic(r), unicode.IsSpace(r):
		return true
	case r == 0x2800: // a Braille pattern without dots
		return true
	default:
		return unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
	}
}
