package bench

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

// floorVariable makes the test binary run as the floor. Its value is the address to listen on.
const floorVariable = "SERAPH_BENCH_FLOOR"

// newFloor returns the least that a webhook receiver can do: it reads the body, verifies the signature,
// decodes the event and answers. It stores nothing, so no receiver that stores can be as fast.
func newFloor(b *testing.B) *process {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}

	p := newProcess(b, self)
	p.env = []string{floorVariable + "=" + p.addr}
	return p
}

// floorEvent has the fields of a deployment event that a receiver needs.
type floorEvent struct {
	Action     string `json:"action"`
	Deployment struct {
		ID          int64           `json:"id"`
		SHA         string          `json:"sha"`
		Ref         string          `json:"ref"`
		Task        string          `json:"task"`
		Environment string          `json:"environment"`
		Description string          `json:"description"`
		Payload     json.RawMessage `json:"payload"`
		CreatedAt   time.Time       `json:"created_at"`
		Creator     struct {
			ID    int64  `json:"id"`
			Login string `json:"login"`
		} `json:"creator"`
	} `json:"deployment"`
	Repository struct {
		ID       int64  `json:"id"`
		FullName string `json:"full_name"`
	} `json:"repository"`
}

func serveFloor(addr string) int {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /webhooks/github", acceptOnFloor)

	failed := make(chan error, 1)
	go func() { failed <- http.ListenAndServe(addr, mux) }()

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	select {
	case <-stop:
		return 0
	case err := <-failed:
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
}

func acceptOnFloor(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "cannot read the body", http.StatusBadRequest)
		return
	}

	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write(body)
	if !hmac.Equal([]byte("sha256="+hex.EncodeToString(mac.Sum(nil))), []byte(r.Header.Get("X-Hub-Signature-256"))) {
		http.Error(w, "the signature does not match", http.StatusUnauthorized)
		return
	}

	var event floorEvent
	if err := json.Unmarshal(body, &event); err != nil || event.Deployment.ID == 0 {
		http.Error(w, "not a deployment event", http.StatusBadRequest)
		return
	}

	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"result":"accepted"}`) // fails only if the client has closed the connection
}
