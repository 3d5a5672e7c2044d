package deployment

import (
	"strings"
	"testing"
)

func TestClean_Length(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want string
	}{
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
