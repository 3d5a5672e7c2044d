// Package audit computes and verifies the audit chain: the record of what people asked for and what
// the rules decided. Each record holds the hash of the one before it, so that no record can be
// changed, removed or inserted without the chain showing it. The package is pure: the store keeps
// the records, and this package says what their hashes must be.
//
// A record's hash is SHA-256, in lower-case hex, over these values as netstrings (length in bytes,
// colon, value, comma), in this order:
//
//	"seraph audit", version, seq, at, kind, door, actor_id, actor_login, actor_app, actor_token,
//	repository_id, repository, environment, deployment, detail, prev
//
// Each value is the UTF-8 text that an exported line has under that name; numbers are in decimal.
// prev is the hash of the record before; that of the first is 64 zeros. With an exported line x, in
// Python:
//
//	names = "version seq at kind door actor_id actor_login actor_app actor_token " \
//	    "repository_id repository environment deployment detail prev"
//	values = ["seraph audit"] + [str(x[n]) for n in names.split()]
//	hashlib.sha256(b"".join(b"%d:%s," % (len(v), v) for v in (s.encode() for s in values))).hexdigest()
package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// encodingVersion is the version of the encoding that new hashes are computed over.
const encodingVersion = 1

// Record is one event in the chain.
type Record struct {
	Version int64 // of the encoding that Hash is computed over
	Seq     int64 // from 1, without gaps
	deployment.AuditEvent
	Prev string // hash of the record before
	Hash string
}

// Head identifies the newest record of a chain, and with it the whole chain. Somebody who keeps a
// head in another place can find out later whether the chain up to it was rewritten.
type Head struct {
	Seq  int64
	Hash string
}

// emptyHead returns the head of a chain without records.
func emptyHead() Head { return Head{Hash: strings.Repeat("0", 2*sha256.Size)} }

// Head returns the head of a chain that ends with the record.
func (r Record) Head() Head { return Head{Seq: r.Seq, Hash: r.Hash} }

// NewRecord makes an event the next record after a head. What the databases or the export could not give
// back unchanged is replaced first: bytes that are not UTF-8, NUL, and the part of a time below
// microseconds.
func NewRecord(head Head, event deployment.AuditEvent) Record {
	event.At = event.At.UTC().Truncate(time.Microsecond)
	event.Kind = deployment.AuditKind(validText(string(event.Kind)))
	event.Channel = validText(event.Channel)
	event.Actor.Login = validText(event.Actor.Login)
	event.Actor.App = validText(event.Actor.App)
	event.Actor.Token = validText(event.Actor.Token)
	event.Repository = validText(event.Repository)
	event.Environment = validText(event.Environment)
	event.Detail = []byte(validText(string(event.Detail)))

	r := Record{Version: encodingVersion, Seq: head.Seq + 1, AuditEvent: event, Prev: head.Hash}
	r.Hash = r.computeHash()
	return r
}

// validText replaces bytes that are not UTF-8, and NUL, which PostgreSQL does not store.
func validText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// computeHash returns the hash that the record must have.
func (r Record) computeHash() string {
	h := sha256.New()
	for _, v := range r.line().hashed() {
		_, _ = fmt.Fprintf(h, "%d:%s,", len(v), v) // writing to a hash does not fail
	}
	return hex.EncodeToString(h.Sum(nil))
}
