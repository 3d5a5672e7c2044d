package store

import (
	"bytes"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
)

func TestCompressBody(t *testing.T) {
	t.Run("it can be read", func(t *testing.T) {
		body := []byte(strings.Repeat(`{"deployment":1}`, 500))
		compressed := compressBody(body)
		if len(compressed) > len(body)/5 {
			t.Errorf("got %d bytes of %d", len(compressed), len(body))
		}
		if got, err := s2.Decode(nil, compressed); err != nil || !bytes.Equal(got, body) {
			t.Errorf("got %d bytes, %v, want the body", len(got), err)
		}
	})

	t.Run("a very large one is not copied", func(t *testing.T) {
		body := bytes.Repeat([]byte("x"), maxCompressed+1)
		if got := compressBody(body); &got[0] != &body[0] {
			t.Error("got a copy")
		}
	})
}
