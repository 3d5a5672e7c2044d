package deployment

import "time"

// How long it is remembered what a chat system has sent.
const (
	// KeepChatKeys is how long the names of requests are kept. A request that comes again within it is a copy.
	KeepChatKeys = 7 * 24 * time.Hour
	// KeepChatDeliveries is how long it is kept that a request was carried out or given up, and when.
	KeepChatDeliveries = 7 * 24 * time.Hour
)

// ChatDelivery is one request that a chat system sent. Its Data and Secrets are erased as soon as it is carried out or
// given up.
type ChatDelivery struct {
	Row        int64
	Face       string // the chat system
	Kind       string // as the package calls it that reads the chat system's requests
	ReceivedAt time.Time
	Tries      int    // how often it was postponed
	Data       []byte // JSON
	Secrets    []byte // JSON of what gives rights at the chat system
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
	ChatCopy     ChatResult = "copy"     // it has a name that is known, so nothing was stored
	ChatReplayed ChatResult = "replayed" // its signature was used before
)
