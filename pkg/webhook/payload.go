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

// ErrMedia reports a content type that is neither JSON nor a form.
var ErrMedia = errors.New("the content type must be application/json or application/x-www-form-urlencoded")

// ContentType checks whether Payload can decode a body of this type: nil or ErrMedia.
func ContentType(header string) error {
	_, err := mediaType(header)
	return err
}

// mediaType parses a content type, which parameters such as a charset may follow.
func mediaType(header string) (string, error) {
	m, _, err := mime.ParseMediaType(header)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return "", ErrMedia
	}
	if m != mediaJSON && m != mediaForm {
		return "", ErrMedia
	}
	return m, nil
}

// Payload returns the JSON of a verified body: the body itself, or the field "payload" of a form. It
// does not check the JSON. The result may share memory with body.
func Payload(contentType string, body []byte) ([]byte, error) {
	m, err := mediaType(contentType)
	if err != nil {
		return nil, err
	}
	if m == mediaForm {
		return formField(body, "payload")
	}
	return body, nil
}

// formField decodes one field of a form. url.ParseQuery would keep a body of 25 MiB in memory several
// times.
func formField(form []byte, name string) ([]byte, error) {
	for pair := range bytes.SplitSeq(form, []byte("&")) {
		key, value, _ := bytes.Cut(pair, []byte("="))
		if string(key) == name {
			return unescape(value)
		}
	}
	return nil, fmt.Errorf("the form has no field %q", name)
}

// unescape decodes a form value: "+" is a space, %XX a byte.
func unescape(value []byte) ([]byte, error) {
	// a malformed value may have more % than complete escapes
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

var errEscape = errors.New("form field \"payload\": % is not followed by two hexadecimal digits")
