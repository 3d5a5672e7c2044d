package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Digest identifies exactly these rules: the first 128 bits of the SHA-256 of their JSON, in hex.
// Approvals are bound to it. It is empty if the rules have no JSON (a freeze beyond the year 9999);
// then no approval counts.
func (p Policy) Digest() string {
	text, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// Empty says whether the policy has no rule of its own, so that only the queue and locks apply.
func (p Policy) Empty() bool {
	p.SharedAccounts = nil
	return p.Digest() == Policy{}.Digest()
}
