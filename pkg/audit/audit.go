// Package audit is the chain of what was asked and decided. Each record holds the hash of the one
// before it, so that none can be changed, left out or put in without the chain showing it. It is
// pure: the store keeps the records, and this package says what their hashes must be.
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
//	names = "version seq at kind door actor_id actor_login actor_app actor_token repository_id repository environment deployment detail prev"
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

// Version is the encoding of which new hashes are made.
const encodingVersion = 1

// Record is one act in the chain.
type Record struct {
	Version int64 // of the encoding of which its hash is made
	Seq     int64 // from 1, without gaps
	deployment.AuditEvent
	Prev string // hash of the record before
	Hash string
}

// Head is the newest record of a chain. Noted elsewhere it shows later that nothing up to it was
// made up anew.
type Head struct {
	Seq  int64
	Hash string
}

// Start is the head of an empty chain.
func emptyHead() Head { return Head{Hash: strings.Repeat("0", 2*sha256.Size)} }

// Head is the head of a chain that ends with the record.
func (r Record) Head() Head { return Head{Seq: r.Seq, Hash: r.Hash} }

// Seal makes an act the next record after a head. What no database and no export could give back
// unchanged is replaced: bytes that are no text, and what a time has below microseconds.
func Seal(head Head, act deployment.AuditEvent) Record {
	act.At = act.At.UTC().Truncate(time.Microsecond)
	act.Kind = deployment.AuditKind(validText(string(act.Kind)))
	act.Detail = []byte(validText(string(act.Detail)))
	for _, s := range []*string{&act.Channel, &act.Actor.Login, &act.Actor.App, &act.Actor.Token, &act.Repository, &act.Environment} {
		*s = validText(*s)
	}

	r := Record{Version: encodingVersion, Seq: head.Seq + 1, AuditEvent: act, Prev: head.Hash}
	r.Hash = r.sum()
	return r
}

// text is s without what is no UTF-8, and without NUL, which PostgreSQL does not take.
func validText(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// sum is what the record's hash must be.
func (r Record) sum() string {
	h := sha256.New()
	for _, v := range r.line().values() {
		_, _ = fmt.Fprintf(h, "%d:%s,", len(v), v) // a hash takes everything
	}
	return hex.EncodeToString(h.Sum(nil))
}
