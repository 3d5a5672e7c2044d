package deployment

import "testing"

// Digest must not change: approvals that were given before would no longer count.
func TestTarget_DigestStays(t *testing.T) {
	target := Target{
		Project:       "gh/acme/api",
		Definition:    "d1",
		Ref:           Ref{Kind: RefBranch, Name: "main"},
		ConfigRef:     Ref{Kind: RefBranch, Name: "config"},
		Revision:      RevisionStrict,
		Parameters:    []Parameter{{Name: "key", Value: []byte(`"k"`)}, {Name: "n", Value: []byte(`7`)}},
		Key:           "k",
		CarriesKey:    true,
		KeyParameters: []string{"key"},
	}

	want := "64693b1770e5214400a1900398c1a4a2"
	if got := target.Digest(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
