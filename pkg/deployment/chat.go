package deployment

import "time"

// How long it is remembered what a chat system has sent.
const (
	// KeepChatKeys is how long the names of requests are kept. A request that comes again within it is a copy.
	KeepChatKeys = 7 * 24 * time.Hour
	// KeepChatDeliveries is how long it is kept that a request was worked off, and when.
	KeepChatDeliveries = 7 * 24 * time.Hour
)

// ChatDelivery is one request that a chat system sent, until it is worked off.
type ChatDelivery struct {
	Row        int64
	Face       string // the chat system
	Kind       string // as the chat system's adapter calls it
	ReceivedAt time.Time
	Tries      int    // how often it was postponed
	Data       []byte // JSON
	Secrets    []byte // JSON of what gives rights at the chat system; erased with Data as soon as it is worked off
}

// ChatProof is a signature that may be used once.
type ChatProof struct {
	Face string
	Key  string    // the signature
	Ends time.Time // from then on it proves nothing
}

// ChatResult says what became of a request that a chat system sent.
type ChatResult string

// The results of storing a request.
const (
	ChatStored   ChatResult = "stored"
	ChatCopy     ChatResult = "copy"     // it has a name that is known
	ChatReplayed ChatResult = "replayed" // its signature was used before
)
