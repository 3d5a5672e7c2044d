package deployment

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLastLines(t *testing.T) {
	own := []string{"k3y-of-the-deployment", "short"}
	for _, tt := range []struct {
		name   string
		output string
		want   []string
	}{
		{name: "nothing"},
		{name: "blank lines only", output: "\n \r\n\t\n"},
		{name: "lines", output: "one\ntwo\r\n\n  three\n", want: []string{"one", "two", "  three"}},
		{name: "colors", output: "\x1b[31;1mError:\x1b[0m no\x1b[K space\n", want: []string{"Error: no space"}},
		{name: "title and link", output: "\x1b]0;title\x07a\x1b]8;;https://x\x1b\\b\x1b(B\n", want: []string{"ab"}},
		{name: "progress", output: "up 1%\rup 50%\rup 100%\r\n", want: []string{"up 100%"}},
		{name: "control and bidi characters", output: "a\x00b\x07c\u202ed\u200be\tf", want: []string{"abcde f"}},
		{name: "not UTF-8", output: "a\xff\xfeb", want: []string{"a\uFFFDb"}},
		{name: "own values", output: "key=k3y-of-the-deployment, short", want: []string{"key=****, short"}},
		{
			name:   "own value in colors",
			output: "k3y-of\x1b[0m-the-deployment",
			want:   []string{"****"},
		},
		{
			name: "named secrets",
			output: "export GITHUB_TOKEN=abc\nAuthorization: Bearer abc.def\n\"password\": \"a b\", x\n" +
				"db_passwd='a b' y\nAPI-KEY : zz;rest\nclient_secret=\"\"",
			want: []string{
				"export GITHUB_TOKEN=****",
				"Authorization: ****",
				"\"password\": ****, x",
				"db_passwd=**** y",
				"API-KEY : ****;rest",
				"client_secret=****",
			},
		},
		{
			name: "known tokens",
			output: "ghp_abcdefghijklmnopqrstuvwxyz0123456789\nAKIAIOSFODNN7EXAMPLE\nxoxb-123456789-abcdef\n" +
				"CCIPAT_abcdefgh_0123456789\neyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig",
			want: []string{"****", "****", "****", "****", "****"},
		},
		{
			name:   "user in a URL",
			output: "clone https://bot:pw@example.com/x and https://tok@example.com, not https://example.com/a@b",
			want:   []string{"clone https://****@example.com/x and https://****@example.com, not https://example.com/a@b"},
		},
		{
			name:   "bearer",
			output: "curl -H 'x: bearer abcdefghijklmnop1234' and basic authentication",
			want:   []string{"curl -H 'x: bearer ****' and basic authentication"},
		},
		{
			name:   "private key",
			output: "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\nb",
			want:   []string{"a", "****", "b"},
		},
		{
			name:   "end of a private key",
			output: "MIIE\nabc\n-----END PRIVATE KEY-----\nb",
			want:   []string{"****", "b"},
		},
		{
			name:   "beginning of a private key",
			output: "a\n-----BEGIN PRIVATE KEY-----\nMIIE\nabc",
			want:   []string{"a", "****"},
		},
		{name: "words that are no secrets", output: "tokens: none left\nok", want: []string{"tokens: **** left", "ok"}},
		{
			name:   "long line",
			output: strings.Repeat("ä", maxLine+1),
			want:   []string{strings.Repeat("ä", maxLine-1) + "…"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := lastLines(tt.output, own); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLastLines_Bounds(t *testing.T) {
	var output strings.Builder
	for i := range 100 {
		fmt.Fprintf(&output, "line %d\n", i)
	}

	got := lastLines(output.String(), nil)
	if len(got) != maxLines || got[0] != "line 80" || got[maxLines-1] != "line 99" {
		t.Errorf("got %q, want the last %d lines", got, maxLines)
	}

	got = lastLines(strings.Repeat(strings.Repeat("ä", maxLine)+"\n", 30), nil)
	if size := len(strings.Join(got, "")); size > maxLineBytes || size < maxLineBytes-2*maxLine {
		t.Errorf("got %d bytes, want as many whole lines as fit into %d", size, maxLineBytes)
	}
}

func FuzzLastLines(f *testing.F) {
	f.Add("\x1b[31mError\x1b[0m: token=abc\r\n", "abcdef")
	f.Add("-----BEGIN PRIVATE KEY-----\x00\nghp_0123456789abcdefghij", "")
	f.Fuzz(func(t *testing.T, output, own string) {
		lines := lastLines(output, []string{own})
		if len(lines) > maxLines || len(strings.Join(lines, "")) > maxLineBytes {
			t.Errorf("got %d lines with %d bytes", len(lines), len(strings.Join(lines, "")))
		}
		for _, line := range lines {
			if !utf8.ValidString(line) || strings.ContainsFunc(line, IsHidden) || utf8.RuneCountInString(line) > maxLine {
				t.Errorf("got line %q", line)
			}
			if known.MatchString(line) {
				t.Errorf("got a token in %q", line)
			}
		}
	})
}
