package deployment

import "testing"

func TestClean(t *testing.T) {
	for in, want := range map[string]string{"a\nb\x00c": "a b c", " x ": "x", "😀 ok": "ok", "ünï": "ünï"} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q): got %q, want %q", in, got, want)
		}
	}
}
