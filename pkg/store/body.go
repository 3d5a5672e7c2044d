package store

import (
	"bytes"

	"github.com/klauspost/compress/gzip"
)

// maxCompressed is the largest body that is compressed. A larger one is stored as it is, so that
// there is no second copy of it in memory.
const maxCompressed = 1 << 20

// compressBody makes the body of a delivery about a fifth of its size. Nothing in this program
// reads stored bodies: people do, with gunzip.
func compressBody(body []byte) ([]byte, error) {
	if len(body) == 0 || len(body) > maxCompressed {
		return body, nil
	}

	compressed := bytes.NewBuffer(make([]byte, 0, len(body)/3+64))
	w, err := gzip.NewWriterLevel(compressed, gzip.StatelessCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(body); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}

	return compressed.Bytes(), nil
}
