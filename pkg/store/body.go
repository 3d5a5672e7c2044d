package store

import "github.com/klauspost/compress/s2"

// maxCompressed is the largest body that is compressed. A larger one is stored as it is, so that
// there is no second copy of it in memory.
const maxCompressed = 1 << 20

// compressBody makes the body of a delivery about a quarter of its size, as one block of S2. S2 is used
// because gzip takes six times as long, which would be a tenth of all that accepting a delivery takes.
func compressBody(body []byte) []byte {
	if len(body) == 0 || len(body) > maxCompressed {
		return body
	}
	return s2.Encode(nil, body)
}

// uncompressBody is a body as it was before compressBody.
func uncompressBody(stored []byte) []byte {
	if len(stored) > s2.MaxEncodedLen(maxCompressed) {
		return stored
	}

	body, err := s2.Decode(nil, stored)
	if err != nil {
		return stored // it was not compressed, because it is larger than maxCompressed
	}
	return body
}
