package store

import "github.com/klauspost/compress/s2"

// maxCompressed is the largest body that is compressed. A larger one is stored as it is, so that
// there is no second copy of it in memory.
const maxCompressed = 1 << 20

// compressBody makes the body of a delivery about a quarter of its size, as one block of S2. Nothing
// in this program reads stored bodies. S2 is used because gzip takes six times as long, which would
// be a tenth of all that accepting a delivery takes.
func compressBody(body []byte) []byte {
	if len(body) == 0 || len(body) > maxCompressed {
		return body
	}
	return s2.Encode(nil, body)
}
