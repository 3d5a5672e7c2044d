package link

import (
	"strings"
	"testing"
)

// FuzzAttemptOf wants that a state names an attempt only by a hash, and that the state of a browser names its attempt.
func FuzzAttemptOf(f *testing.F) {
	f.Add("")
	f.Add(strings.Repeat("0", 64) + ".x")
	f.Add(newState(hashAddress("a"), "verifier"))
	f.Fuzz(func(t *testing.T, state string) {
		if got := attemptOf(state); got != "" && (len(got) != 64 || !strings.HasPrefix(state, got+".")) {
			t.Errorf("got the attempt %q of %q", got, state)
		}
		if got := attemptOf(newState(hashAddress(state), state)); got != hashAddress(state) {
			t.Errorf("got the attempt %q of a state that was made for %q", got, hashAddress(state))
		}
	})
}

// FuzzReadCode wants that a code is read however it is typed, and that what is no code stays none.
func FuzzReadCode(f *testing.F) {
	f.Add("7kqm 2xwa-9hdt")
	f.Add("7KQM2XWA9HD\u0130")
	f.Add("")
	f.Fuzz(func(t *testing.T, typed string) {
		got := readCode(typed)
		if again := readCode(got); again != got {
			t.Errorf("got %q, and %q when it is read again", got, again)
		}

		code := newCode()
		for _, way := range []string{code, strings.ToLower(code), strings.ReplaceAll(code, "-", "")} {
			if read := readCode(way); read != code {
				t.Errorf("%q: got %q, want %q", way, read, code)
			}
		}
		if got == code {
			t.Errorf("%q is a code that nobody was shown", typed)
		}
	})
}
