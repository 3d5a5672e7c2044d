package deployment

import (
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want string
	}{
		"control characters": {
			text: "a\nb\x00c",
			want: "a b c",
		},
		"spaces at the ends": {
			text: " x ",
			want: "x",
		},
		"four-byte characters": {
			text: "😀 ok",
			want: "ok",
		},
		"letters beyond ASCII": {
			text: "ünï",
			want: "ünï",
		},
		"as long as GitHub takes": {
			text: strings.Repeat("é", 140),
			want: strings.Repeat("é", 140),
		},
		"one code point longer": {
			text: strings.Repeat("é", 141),
			want: strings.Repeat("é", 139) + "…",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := clean(tt.text); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
