package client

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// maxEvent is how many bytes one event may have. Those of Seraph have some hundred.
const maxEvent = 64 << 10

// errEventTooLarge ends a stream whose sender is not Seraph.
var errEventTooLarge = errors.New("event is larger than 64 KiB")

// event is one server-sent event.
type event struct {
	name string // empty: "message"
	data string
}

// eventReader reads server-sent events, as https://html.spec.whatwg.org/multipage/server-sent-events.html
// describes them.
type eventReader struct {
	r      *bufio.Reader
	onLine func() // called for each line, also for comments; nil: nobody wants to know
	lastID string // of the newest event that had one
	begun  bool   // the first line was read
	skipLF bool   // the line before ended with CR: a following LF belongs to it
}

func newEventReader(r io.Reader) *eventReader { return &eventReader{r: bufio.NewReader(r)} }

// next returns the next event that has data. An event that the stream breaks off is dropped.
func (e *eventReader) next() (event, error) {
	var found event
	var data []string
	id, size := e.lastID, 0
	for {
		line, err := e.line()
		if err != nil {
			return event{}, err
		}
		if size += len(line); size > maxEvent {
			return event{}, errEventTooLarge
		}

		if line == "" {
			e.lastID = id
			if len(data) > 0 {
				found.data = strings.Join(data, "\n")
				return found, nil
			}

			found, size = event{}, 0
			continue
		}

		field, value, _ := strings.Cut(line, ":") // a comment has an empty field
		value = strings.TrimPrefix(value, " ")
		switch {
		case field == "event":
			found.name = value
		case field == "data":
			data = append(data, value)
		case field == "id" && !strings.ContainsRune(value, 0):
			id = value
		}
	}
}

// line reads one line without its end, which is LF, CR or both. It does not wait for the LF behind a
// CR.
func (e *eventReader) line() (string, error) {
	var line []byte
	for {
		b, err := e.r.ReadByte()
		if err != nil {
			return "", err
		}

		skip := e.skipLF && b == '\n'
		e.skipLF = false
		switch {
		case skip:
			continue
		case b == '\n' || b == '\r':
			e.skipLF = b == '\r'
			if e.onLine != nil {
				e.onLine()
			}

			text := string(line)
			if !e.begun {
				text = strings.TrimPrefix(text, "\ufeff") // a byte order mark
			}

			e.begun = true
			return text, nil
		case len(line) == maxEvent:
			return "", errEventTooLarge
		}

		line = append(line, b)
	}
}
