// Package slackapp is what people do in Slack: type commands, press buttons, submit modals, open the home tab. Handler
// takes what Slack sends and stores it. Worker has each request carried out by Actions, which finds out who asks and
// whether they may, and answers them. Notices tells the owners of locks what happens to these, and people that somebody
// else has signed in with their account at GitHub.
package slackapp

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/slack"
)

// maxBody is how many bytes a request of Slack may have. A view has at most 250 KB, and encoding it as a form
// makes it up to three times as long.
const maxBody = 1 << 20

// storeTimeout bounds the time until a request is stored. Slack waits for the answer for 3 s.
const storeTimeout = 2 * time.Second

// tellTimeout bounds the call that tells somebody that nothing was done. Both together are less than Slack's 3 s.
const tellTimeout = 700 * time.Millisecond

// Inbox stores what Slack has sent.
type Inbox interface {
	// AddChatDelivery stores a request, unless its signature or one of its names is known.
	AddChatDelivery(
		ctx context.Context,
		d deployment.ChatDelivery,
		proof deployment.ChatProof,
		names []string,
	) (row int64, result deployment.ChatResult, err error)
	// UseChatProof says whether a signature is new.
	UseChatProof(ctx context.Context, p deployment.ChatProof) (first bool, err error)
}

// HandlerOptions are what a Handler is made of. Fields are required where nothing else is said.
type HandlerOptions struct {
	Verifier *slack.Verifier
	Inbox    Inbox

	// Workspace returns the id of the workspace, or of the Enterprise Grid organization, whose requests count.
	// Empty: it is not known yet, and all requests are refused.
	Workspace func() string
	// BotUser returns the user id of this app's bot; empty or nil: not known. Events usually name it, too.
	BotUser func() string

	// Check says what is wrong with a submitted modal, which stays open then. It must make no calls: Slack waits.
	Check func(slack.Incoming) slack.ViewErrors
	// Stored is called with the row of a request once it is committed. It must not block. See Worker.Wake.
	Stored func(row int64)
	// Tell sends a text to the response URL of a click, because Slack does not show what a click is answered with. Nil:
	// the one who clicked sees Slack's warning sign only.
	Tell func(ctx context.Context, responseURL slack.Secret, text string) error

	Observe func(source, event, result string)
	Log     zerolog.Logger
	Now     func() time.Time
}

// Handler takes what Slack sends: slash commands, interactions and events, which all come to one address. It
// verifies a request, stores it, and only then answers; a Worker carries it out. If it cannot be stored, whoever asked
// learns so where Slack shows an answer, and Slack sends an event again.
type Handler struct{ o HandlerOptions }

// NewHandler makes a Handler.
func NewHandler(o HandlerOptions) *Handler {
	if o.BotUser == nil {
		o.BotUser = func() string { return "" }
	}
	return &Handler{o}
}

// received is one request that is being answered.
type received struct {
	in    slack.Incoming
	proof deployment.ChatProof
	at    time.Time
}

// ServeHTTP answers one request of Slack.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := h.o.Now()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		h.finish(w, slack.Incoming{}, unreadable(err))
		return
	}

	signature, err := h.o.Verifier.Verify(r.Header, body, now)
	if err != nil {
		h.finish(w, slack.Incoming{}, h.unverified(r, body, err))
		return
	}

	in, err := slack.ParseIncoming(r.Header.Get("Content-Type"), body)
	if err != nil {
		h.finish(w, in, answer{status: http.StatusBadRequest, result: "bad_request", words: err.Error(), final: true})
		return
	}

	in.ReceivedAt = now
	rc := received{
		in:    h.withoutOurselves(in),
		proof: deployment.ChatProof{Face: face, Key: signature, Ends: now.Add(slack.SignatureLife)},
		at:    now,
	}

	// Whoever hangs up has asked all the same, and a copy of the request is recognized.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), storeTimeout)
	defer cancel()

	h.finish(w, rc.in, h.receive(ctx, rc))
}

// unreadable answers a body that could not be read to its end.
func unreadable(err error) answer {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		const words = "the body is larger than a request of Slack can be"
		return answer{status: http.StatusRequestEntityTooLarge, result: "too_large", words: words, final: true}
	}
	const words = "the body ended early or came too slowly"
	return answer{status: http.StatusBadRequest, result: "bad_request", words: words}
}

// unverified refuses a request, unless it is the probe of the certificate, which Slack's own libraries answer
// unsigned and which does nothing.
func (h *Handler) unverified(r *http.Request, body []byte, cause error) answer {
	if errors.Is(cause, slack.ErrNoSignature) && len(body) < 1<<10 {
		in, err := slack.ParseIncoming(r.Header.Get("Content-Type"), body)
		if err == nil && in.Kind == slack.KindProbe {
			return answer{status: http.StatusOK, result: "pong", event: string(slack.KindProbe)}
		}
	}
	return answer{status: http.StatusUnauthorized, result: "unauthorized", words: cause.Error()}
}

// withoutOurselves ignores what the bot of this app has written itself, and takes the mention of the bot out of a text:
// slack.ParseIncoming does so only where the event names the bot.
func (h *Handler) withoutOurselves(in slack.Incoming) slack.Incoming {
	bot := h.o.BotUser()
	typed := in.Kind == slack.KindMention || in.Kind == slack.KindDirect
	switch {
	case bot == "" || !typed:
		return in
	case in.User == bot:
		return slack.Incoming{Kind: slack.KindIgnored, Ignored: "this app wrote the message", Bot: true, Team: in.Team}
	default:
		in.Text = slack.StripMention(in.Text, bot)
		return in
	}
}

// receive stores a request that was verified, and says how to answer it.
func (h *Handler) receive(ctx context.Context, rc received) answer {
	switch rc.in.Kind {
	case slack.KindProbe, slack.KindIgnored:
		a := h.once(ctx, rc)
		if a.result == "unavailable" { // there is nothing to be lost
			a = answer{status: http.StatusOK}
		}
		return a.or("ignored")
	case slack.KindChallenge:
		a := h.once(ctx, rc)
		a.plain = rc.in.Challenge
		return a.or("pong")
	}

	if a, ok := h.refuseWorkspace(ctx, rc.in); !ok {
		return a
	}

	if rc.in.Kind == slack.KindSubmit {
		if wrong := h.o.Check(rc.in); len(wrong) > 0 {
			a := h.once(ctx, rc)
			a.json = viewErrors(wrong)
			return a.or("refused")
		}
	}

	return h.store(ctx, rc)
}

// once answers a request that is not stored: only its signature is remembered.
func (h *Handler) once(ctx context.Context, rc received) answer {
	first, err := h.o.Inbox.UseChatProof(ctx, rc.proof)
	switch {
	case err != nil:
		return answer{status: http.StatusServiceUnavailable, result: "unavailable", words: notStored, cause: err}
	case !first:
		return replayed
	default:
		return answer{status: http.StatusOK}
	}
}

// refuseWorkspace refuses requests of other workspaces than the one that this service answers. true: it is of that one,
// and there is nothing to refuse.
func (h *Handler) refuseWorkspace(ctx context.Context, in slack.Incoming) (answer, bool) {
	workspace := h.o.Workspace()
	switch workspace {
	case "":
		a := answer{status: http.StatusServiceUnavailable, result: "unavailable", words: unknownWorkspace}
		return h.explain(ctx, in, a), false
	case in.Team, in.Enterprise:
		return answer{}, true
	default:
		a := answer{status: http.StatusForbidden, result: "other_workspace", words: otherWorkspace, final: true}
		if in.Kind == slack.KindCommand {
			return h.explain(ctx, in, a), false
		}
		return a, false
	}
}

// store stores a request and wakes the worker.
func (h *Handler) store(ctx context.Context, rc received) answer {
	d, err := encodeDelivery(rc.in)
	if err != nil {
		return answer{status: http.StatusInternalServerError, result: "internal", words: notStored, cause: err}
	}

	names := append([]string{rc.in.Key}, rc.in.OtherKeys...)
	row, result, err := h.o.Inbox.AddChatDelivery(ctx, d, rc.proof, names)
	switch {
	case err != nil:
		a := answer{status: http.StatusServiceUnavailable, result: "unavailable", words: notStored, cause: err}
		return h.explain(ctx, rc.in, a)
	case result == deployment.ChatReplayed:
		return replayed
	case result == deployment.ChatCopy:
		return answer{status: http.StatusOK, result: "duplicate"}
	}

	h.o.Stored(row)
	return answer{status: http.StatusOK, result: "accepted"}
}

// explain changes an answer so that whoever asked reads why nothing was done, where Slack shows it. The answer to an
// event stays: Slack sends events, and only these, again when the answer is not 2xx.
func (h *Handler) explain(ctx context.Context, in slack.Incoming, a answer) answer {
	switch in.Kind {
	case slack.KindCommand:
		a.status, a.json = http.StatusOK, ephemeral(a.words)

	case slack.KindClick:
		if h.o.Tell == nil || in.ResponseURL == "" {
			return a
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTimeout)
		defer cancel()
		if err := h.o.Tell(ctx, in.ResponseURL, a.words); err == nil {
			a.status, a.json = http.StatusOK, ephemeral(a.words)
		}

	case slack.KindSubmit:
		if fields := slices.Sorted(maps.Keys(in.Values)); len(fields) > 0 {
			a.status, a.json = http.StatusOK, viewErrors(slack.ViewErrors{fields[0]: a.words})
		}
	}

	return a
}
