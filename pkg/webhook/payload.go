package webhook

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
)

// The two encodings that GitHub offers for a webhook.
const (
	mediaJSON = "application/json"
	mediaForm = "application/x-www-form-urlencoded"
)

// ErrMedia says that a content type is neither JSON nor a form.
var ErrMedia = errors.New("the content type must be application/json or application/x-www-form-urlencoded")

// ContentType says whether Payload can read such a body: nil or ErrMedia.
func ContentType(header string) error {
	_, err := media(header)
	return err
}

// media reads a content type; parameters such as a charset may follow it.
func media(header string) (string, error) {
	m, _, err := mime.ParseMediaType(header)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return "", ErrMedia
	}
	if m != mediaJSON && m != mediaForm {
		return "", ErrMedia
	}
	return m, nil
}

// Payload is the JSON of a verified body: the body itself, or the `payload` field of a form. The
// JSON is not looked at yet. It may share memory with body.
func Payload(contentType string, body []byte) ([]byte, error) {
	m, err := media(contentType)
	if err != nil {
		return nil, err
	}
	if m == mediaForm {
		return formField(body, "payload")
	}
	return body, nil
}

// formField finds one field of a form and decodes it alone: the general parser would hold a body of
// 25 MiB in memory several times.
func formField(form []byte, name string) ([]byte, error) {
	for pair := range bytes.SplitSeq(form, []byte("&")) {
		key, value, _ := bytes.Cut(pair, []byte("="))
		if string(key) == name {
			return unescape(value)
		}
	}
	return nil, fmt.Errorf("the form has no field %q", name)
}

// unescape undoes the encoding of a form value: "+" for a blank, %XX for a byte.
func unescape(value []byte) ([]byte, error) {
	// a malformed value may hold more % than there is room for
	escapes := min(bytes.Count(value, []byte("%")), len(value)/3)
	out := make([]byte, 0, len(value)-2*escapes)
	for i := 0; i < len(value); i++ {
		switch c := value[i]; c {
		case '+':
			out = append(out, ' ')
		case '%':
			var b [1]byte
			if i+2 >= len(value) {
				return nil, errEscape
			}
			if _, err := hex.Decode(b[:], value[i+1:i+3]); err != nil {
				return nil, errEscape
			}

			out, i = append(out, b[0]), i+2
		default:
			out = append(out, c)
		}
	}

	return out, nil
}

var errEscape = errors.New("the form field \"payload\" holds a % that two hex digits do not follow")
