package store

import (
	"bytes"

	"github.com/klauspost/compress/gzip"
)

// pack makes the body of a delivery a fifth of its size, for gunzip to read. It is kept for people
// to look at: nothing reads it.
func pack(body []byte) ([]byte, error) {
	if len(body) == 0 || len(body) > maxPacked {
		return body, nil
	}

	b := bytes.NewBuffer(make([]byte, 0, len(body)/3+64))
	w, err := gzip.NewWriterLevel(b, gzip.StatelessCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}

	err = w.Close()
	return b.Bytes(), err
}
