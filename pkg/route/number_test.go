package route

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestParameter_FixedNumbers wants that a number goes out as it is written: as a number where it prints
// like that, else as text. An account number must not lose its zeros.
func TestParameter_FixedNumbers(t *testing.T) {
	for _, test := range []struct{ written, want string }{
		{written: "12", want: `12`},
		{written: "-5", want: `-5`},
		{written: "0", want: `0`},
		{written: "020222070707", want: `"020222070707"`},
		{written: "0123456", want: `"0123456"`},
		{written: "012345678901", want: `"012345678901"`},
		{written: "+12", want: `"+12"`},
		{written: "-0", want: `"-0"`},
		{written: "-012", want: `"-012"`},
		{written: "0o17", want: `"0o17"`},
		{written: "0x1f", want: `"0x1f"`},
		{written: "0b11", want: `"0b11"`},
		{written: "1_000", want: `"1_000"`},
		{written: "99999999999999999999", want: `"99999999999999999999"`},
		{written: "1.50", want: `"1.50"`},
		{written: "1e3", want: `"1e3"`},
		{written: "'12'", want: `"12"`},
		{written: "{value: 0123, type: integer}", want: `123`},
		{written: "{value: 0123}", want: `"0123"`},
		{written: "true", want: `true`},
		{written: "2026-11-22", want: `"2026-11-22"`},
	} {
		t.Run(test.written, func(t *testing.T) {
			a := admit(t, oneParameterTable(test.written))
			if a.Problem != "" || len(a.Target.Parameters) != 1 {
				t.Fatalf("got problem %q and %d parameters, want one parameter", a.Problem, len(a.Target.Parameters))
			}
			if got := string(a.Target.Parameters[0].Value); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestParse_CountWithALeadingZero(t *testing.T) {
	_, err := Parse([]byte(routeOf("approvals: {count: 010, teams: [acme/leads]}")), "routes.yaml", Options{})
	const want = `count "010" must be a number from 1 to`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// TestParse_DeeplyNested wants words for what would end the process in the parser.
func TestParse_DeeplyNested(t *testing.T) {
	const deep = "nested more than 64 deep"
	stairs := func(depth int) string {
		var text strings.Builder
		for i := range depth {
			text.WriteString(strings.Repeat(" ", i) + "a:\n")
		}
		return text.String()
	}

	for _, test := range []struct{ name, text, want string }{
		{name: "lists in brackets", text: "routes: " + strings.Repeat("[", 100_000), want: "routes.yaml:1: lists and mappings"},
		{name: "mappings in braces", text: "routes: " + strings.Repeat("{a: ", 100_000), want: deep},
		{name: "JSON", text: strings.Repeat(`{"routes":`, 100_000), want: deep},
		{name: "lists in one line", text: "routes:\n  " + strings.Repeat("- ", 100_000), want: "routes.yaml:2: lists and mappings"},
		{name: "keys in one line", text: "routes:\n  " + strings.Repeat("? ", 100_000), want: deep},
		{name: "mappings in one line", text: strings.Repeat("a: ", 100_000), want: deep},
		{name: "mappings below each other", text: stairs(1_400), want: deep},
		{name: "one level too many", text: stairs(65), want: deep},
		{name: "as deep as may be", text: stairs(64), want: "unknown key"},
		{name: "brackets in text", text: "routes: '" + strings.Repeat("[", 1_000) + "'", want: "must be a list"},
	} {
		t.Run(test.name, func(t *testing.T) {
			begin := time.Now()
			_, err := Parse([]byte(test.text), "routes.yaml", Options{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if took := time.Since(begin); took > 30*time.Second {
				t.Errorf("got an answer after %s, want one within 30s", took)
			}
		})
	}
}

// TestParse_ManyRoutesAreNotDeep wants that a long file is not taken for a deep one.
func TestParse_ManyRoutesAreNotDeep(t *testing.T) {
	var text strings.Builder
	text.WriteString("routes:\n")
	for range 200 {
		text.WriteString("- repository: acme/api\n  environment: x\n  parameters:\n    a: [\n")
	}

	_, err := Parse([]byte(strings.ReplaceAll(text.String(), "[\n", "1\n")), "routes.yaml", Options{})
	if err == nil || strings.Contains(err.Error(), "nested") {
		t.Errorf("got %v, want only problems with hidden routes", err)
	}
}

// FuzzFixedNumber wants that what looks like a number goes out as it is written.
func FuzzFixedNumber(f *testing.F) {
	for _, text := range []string{"020222070707", "+12", "-0", "0x1f", "1_000", "1e3"} {
		f.Add(text)
	}

	numeric := regexp.MustCompile(`^[0-9a-fxo_+.eE-]{1,40}$`)
	f.Fuzz(func(t *testing.T, written string) {
		if !numeric.MatchString(written) {
			return
		}

		table, err := Parse([]byte(oneParameterTable(written)), "f", Options{})
		if err != nil {
			return
		}

		got := table.Admit(newRequest(), "k").Target.Parameters[0].Value
		var text string
		if json.Unmarshal(got, &text) != nil {
			text = string(got)
		}
		if text != written {
			t.Errorf("got %s, want %s", got, written)
		}
	})
}
