package slack

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/seraph-deploy/seraph/pkg/notify"
)

func TestHomeView_SaysWhatIsLeftOut(t *testing.T) {
	view := homes()["crowded"]
	if len(view.Blocks) > 50 {
		t.Errorf("got %d blocks, want at most 50", len(view.Blocks))
	}

	encoded := encode(t, view.Blocks)
	apps := strings.Count(encoded, `"text":"app-`)
	for _, want := range []string{"and 7 more", "and 3 more", fmt.Sprintf("and %d more: type /seraph status", 60-apps)} {
		if !strings.Contains(encoded, want) {
			t.Errorf("got %s, want %q", encoded, want)
		}
	}
}

func TestConfirmModal_CarriesTheRequest(t *testing.T) {
	view := modals()["rollback"]
	got, err := ParseConfirmed(view.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	want := Confirmed{
		Verb: notify.VerbRollback, Row: 77, Generation: generation, RequestKey: "k7Qm2", Word: "production",
		Channel: "C0DEPLOYS1", Message: "1764338520.000100", SHA: "9f8e7d6c",
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestConfirmed_Matches(t *testing.T) {
	for _, test := range []struct {
		name, word, typed string
		want              bool
	}{
		{name: "the word", word: "production", typed: "production", want: true},
		{name: "spaces around", word: "production", typed: " production ", want: true},
		{name: "invisible characters", word: "production", typed: "prod\u200buction\ufeff", want: true},
		{name: "several spaces", word: "us east", typed: "us   east", want: true},
		{name: "upper case", word: "production", typed: "Production"},
		{name: "half of it", word: "production", typed: "produc"},
		{name: "nothing", word: "production", typed: ""},
		{name: "no word", word: "", typed: "", want: true},
		{name: "no word, but something typed", word: "", typed: "production"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := (Confirmed{Word: test.word}).Matches(test.typed); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

func TestConfirmModal_RefusesWhatSlackWouldNotCarry(t *testing.T) {
	view := ConfirmModal(ConfirmInput{Confirmed: Confirmed{
		Verb: notify.VerbApproveHold, Row: 1, Generation: generation, RequestKey: "k", Job: strings.Repeat("j", 3000),
	}})
	if view.Submit != "" || view.Callback != callbackText {
		t.Errorf("got %+v, want a modal that cannot be submitted", view)
	}
	checkSample(t, modalOf(view))
}

func TestParseConfirmed_RefusesWhatIsAppended(t *testing.T) {
	metadata := modals()["rollback"].Metadata
	for _, appended := range []string{"}", "]", ",", "x", metadata} {
		t.Run(appended, func(t *testing.T) {
			if got, err := ParseConfirmed(metadata + appended); err == nil {
				t.Errorf("got %+v, want an error", got)
			}
		})
	}
}

func TestParseConfirmed_RefusesOtherFields(t *testing.T) {
	metadata := strings.Replace(modals()["rollback"].Metadata, "{", `{"other":1,`, 1)
	if got, err := ParseConfirmed(metadata); err == nil {
		t.Errorf("got %+v from %s, want an error", got, metadata)
	}
}

// FuzzParseConfirmed checks that private_metadata that is accepted is complete, and the same when it is written and
// read again.
func FuzzParseConfirmed(f *testing.F) {
	f.Add(modals()["rollback"].Metadata)
	f.Add(`{"verb":"x"}`)
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseConfirmed(s)
		if err != nil {
			return
		}
		if c.Row <= 0 || c.Generation == "" || c.RequestKey == "" {
			t.Errorf("got %+v from %q, want an error", c, s)
		}

		written := c.encode()
		if utf8.RuneCountInString(written) > maxMetadata {
			return // some characters are longer when they are escaped
		}
		if again, err := ParseConfirmed(written); err != nil || again != c {
			t.Errorf("got %+v, %v, want %+v", again, err, c)
		}
	})
}
