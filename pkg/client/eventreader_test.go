package client

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// readEvents returns all events of a stream, the id after them, and what ended it.
func readEvents(r io.Reader) (all []event, lastID string, err error) {
	reader := newEventReader(r)
	for {
		found, err := reader.next()
		if err != nil {
			return all, reader.lastID, err
		}
		all = append(all, found)
	}
}

func TestEventReader_Fields(t *testing.T) {
	for _, test := range []struct {
		name   string
		text   string
		want   []event
		wantID string
	}{
		{name: "one", text: "event: deployment\ndata: {}\n\n", want: []event{{name: "deployment", data: "{}"}}},
		{name: "no space behind the colon", text: "event:x\ndata:1\n\n", want: []event{{name: "x", data: "1"}}},
		{name: "only one space is dropped", text: "data:  1\n\n", want: []event{{data: " 1"}}},
		{name: "several lines", text: "data: 1\ndata: 2\n\n", want: []event{{data: "1\n2"}}},
		{name: "CR LF", text: "data: 1\r\ndata: 2\r\n\r\n", want: []event{{data: "1\n2"}}},
		{name: "CR", text: "data: 1\rdata: 2\r\r", want: []event{{data: "1\n2"}}},
		{name: "comments", text: ": ping\n\n:\n\ndata: 1\n: ping\n\n", want: []event{{data: "1"}}},
		{name: "byte order mark", text: "\ufeffdata: 1\n\n", want: []event{{data: "1"}}},
		{name: "unknown field", text: "colour: blue\ndata: 1\nretry: 2000\n\n", want: []event{{data: "1"}}},
		{name: "field without a value", text: "data\n\n", want: []event{{}}},
		{name: "without data", text: "event: x\n\ndata: 1\n\n", want: []event{{data: "1"}}},
		{name: "broken off", text: "data: 1\n\nid: 2\ndata: 2\n", want: []event{{data: "1"}}},
		{name: "id", text: "id: 7\ndata: 1\n\ndata: 2\n\n", want: []event{{data: "1"}, {data: "2"}}, wantID: "7"},
		{name: "id without data", text: "id: 7\n\n", wantID: "7"},
		{name: "id that is no id", text: "id: 7\n\nid: 8\x00\n\n", wantID: "7"},
		{name: "id is taken back", text: "id: 7\n\nid\n\n", wantID: ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, id, err := readEvents(strings.NewReader(test.text))
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(event{})); diff != "" {
				t.Errorf("events differ:\n%s", diff)
			}
			if id != test.wantID || !errors.Is(err, io.EOF) {
				t.Errorf("got id %q and %v, want %q and the end", id, err, test.wantID)
			}
		})
	}
}

func TestEventReader_TooLarge(t *testing.T) {
	for _, test := range []struct {
		name string
		text string
	}{
		{name: "one line", text: "data: " + strings.Repeat("x", maxEvent)},
		{name: "many lines", text: strings.Repeat("data: x\n", maxEvent)},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, _, err := readEvents(strings.NewReader(test.text)); !errors.Is(err, errEventTooLarge) {
				t.Errorf("got %v, want %v", err, errEventTooLarge)
			}
		})
	}
}

// FuzzEventReader wants the same events however the stream is cut into pieces, and no more of them than
// the text can hold.
func FuzzEventReader(f *testing.F) {
	f.Add("id: 1\nevent: deployment\ndata: {}\n\n: ping\r\n\rdata\n\n")
	f.Add("\ufeffdata:1\r\n\r\ndata: 2\ndata:\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		whole, id, err := readEvents(strings.NewReader(text))
		pieces, piecesID, piecesErr := readEvents(iotest.OneByteReader(strings.NewReader(text)))

		if diff := cmp.Diff(whole, pieces, cmp.AllowUnexported(event{})); diff != "" || id != piecesID {
			t.Errorf("got other events from pieces, ids %q and %q:\n%s", id, piecesID, diff)
		}
		if !errors.Is(piecesErr, err) {
			t.Errorf("got %v from pieces, want %v", piecesErr, err)
		}
		if len(whole) > strings.Count(text, "data") {
			t.Errorf("got %d events of %q, want at most one for each word data", len(whole), text)
		}
	})
}
