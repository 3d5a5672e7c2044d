// Package webhook turns untrusted bytes into a verified delivery. It knows nothing of HTTP:
// signatures, the two encodings of a body, and the few fields that Seraph reads from it.
//
// Bytes are believed only after their signature was checked. Headers are not part of what GitHub
// signs, so the shape of a body is held against the event it claims to be.
package webhook
