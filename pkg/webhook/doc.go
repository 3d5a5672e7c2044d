// Package webhook verifies and parses webhooks of GitHub and CircleCI. It gets headers and bodies as
// plain values and knows nothing of HTTP servers: it checks signatures, decodes the two encodings of
// a body, and reads the few fields that Seraph needs.
//
// A body must be parsed only after its signature was checked. GitHub does not sign headers, so the
// content of a body is compared with the event that its header names.
package webhook
