package grammar

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParse wants of every text: Parse does not panic, a command reads back as it was written, what is
// suggested is a command, and no text deploys to production, or to one of several environments, without
// naming it.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"deploy api", "deploy acme/api@main to production", "deploy:migrate! web/x to qa/h1 a=1 b=“c d” because y",
		"deploy web", "deploy worker", "deploy shop to prod", "rollback api in production to #41 because x",
		"approve #12 fine", "approve-hold #1 hold", "cancel #12 because x", "why #12?", "status api in staging",
		"deploys api", "where can I deploy api?", "lock api in production for 1 day because x",
		"unlock api in production", "locks", "who am i", "link AB-1", "help deploy", "don't deploy api to prod",
		"deply apj to stagin now", "deploy eu to production eu", "deploy \u2068api\u2069", "`deploy api`",
	} {
		f.Add(text)
	}

	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text, names)
		if err != nil {
			checkError(t, err)
			return
		}

		again, err := Parse(c.String(), names)
		if err != nil {
			t.Fatalf("Parse(%q) = %q, which is refused: %v", text, c, err)
		}
		if !reflect.DeepEqual(again, c) {
			t.Fatalf("Parse(%q) = %#v, which reads back as %#v", text, c, again)
		}
		if !utf8.ValidString(c.String()) || strings.ContainsAny(c.String(), "\x00\n\u202e") {
			t.Fatalf("Parse(%q) = %q, which has hidden characters", text, c)
		}
		checkNamed(t, text, c)
	})
}

// checkError wants that the suggestion of an error is a command, and that its text is one line.
func checkError(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got an error of type %T, want *Error", err)
	}
	if e.Near != "" {
		if c, err := Parse(e.Near, names); err != nil || c.String() != e.Near {
			t.Fatalf("the suggestion %q reads as %q, %v", e.Near, c, err)
		}
	}
	if strings.ContainsAny(e.Error(), "\x00\n\u202e") || strings.Contains(e.Message, "<") || !utf8.ValidString(e.Error()) {
		t.Fatalf("the error %q has characters that it should not show", e)
	}
}

// checkNamed wants that a text names the environment of its command, where that is production or one
// of several others.
func checkNamed(t *testing.T, text string, c Command) {
	t.Helper()
	if c.Environment == "" {
		return
	}

	app, ok := names.App(c.App)
	if c.App == "" {
		app, ok = names.all(), true
	}
	if !ok {
		t.Fatalf("Parse(%q) names the app %q, which does not exist", text, c.App)
	}
	others := 0
	production := true
	for _, e := range app.Environments {
		if !e.Production {
			others++
		}
		if strings.EqualFold(e.Name, c.Environment) && !e.Production {
			production = false
		}
	}

	if c.Verb == Deploy && !production && others == 1 {
		return // the only one that is not production
	}
	typed := strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if skipped(r) || isJoiner(r) || strings.ContainsRune(quotes+"`'‘’", r) || 0xfe00 <= r && r <= 0xfe0f {
			return -1
		}
		return r
	}, text)), " ")
	before, _, _ := strings.Cut(strings.ToLower(typed), " because ")
	if !strings.Contains(before, strings.ToLower(c.Environment)) {
		t.Fatalf("Parse(%q) = %q: it goes to an environment that the text does not name", text, c)
	}
}
