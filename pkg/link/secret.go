package link

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// The address and the code, which let somebody go on with a link, are random and stored as hashes only. The verifier is
// in the cookie of the browser and not stored.
const (
	addressBytes = 20 // of randomness in the address that is opened
	codeLength   = 12 // characters of the code that is typed: 60 bits, so that its hash cannot be searched in time
	codeGroup    = 4
)

// codeLetters are the characters of codes that are typed: 32 of them, without those that look alike.
const codeLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

// newAddress returns the random last part of an address.
func newAddress() string {
	var b [addressBytes]byte
	_, _ = rand.Read(b[:]) // it never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// newCode returns a random code, such as 7KQM-2XWA-9HDT.
func newCode() string {
	var b [codeLength]byte
	_, _ = rand.Read(b[:]) // it never fails
	var code strings.Builder
	for i, one := range b {
		if i > 0 && i%codeGroup == 0 {
			code.WriteByte('-')
		}
		code.WriteByte(codeLetters[int(one)%len(codeLetters)]) // 256 is a multiple of 32
	}
	return code.String()
}

// readCode returns a code as newCode writes it, however it was typed: in lower case, with spaces, or without hyphens.
// Empty: it is no code.
func readCode(typed string) string {
	plain := strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToUpper(typed))
	other := strings.ContainsFunc(plain, func(r rune) bool { return !strings.ContainsRune(codeLetters, r) })
	if len(plain) != codeLength || other {
		return ""
	}
	return plain[:codeGroup] + "-" + plain[codeGroup:2*codeGroup] + "-" + plain[2*codeGroup:]
}

// hash is what is stored of a secret. Because of purpose, the hash of an address is never that of a code.
func hash(purpose, secret string) string {
	sum := sha256.Sum256([]byte("seraph link " + purpose + ":" + secret))
	return hex.EncodeToString(sum[:])
}

func hashAddress(address string) string { return hash("address", address) }

func hashCode(code string) string { return hash("code", code) }

// newState is the state that GitHub gives back to the browser. It names the attempt. It can be computed only with the
// verifier, which is in the cookie of the browser that opened the address.
func newState(addressHash, verifier string) string {
	return addressHash + "." + hash("state", addressHash+"."+verifier)
}

// attemptOf returns the attempt that a state names; empty: it is no state.
func attemptOf(state string) (addressHash string) {
	addressHash, _, ok := strings.Cut(state, ".")
	if _, err := hex.DecodeString(addressHash); !ok || err != nil || len(addressHash) != 2*sha256.Size {
		return ""
	}
	return addressHash
}

// equal compares in a time that does not depend on where two texts differ.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
