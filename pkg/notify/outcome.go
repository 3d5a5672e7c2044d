package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// keyOf is the key of a part of a message. It is the same for a message that was restored from a backup, so that
// what was posted since is found.
func keyOf(m deployment.Message, about string) string {
	sum := sha256.Sum256([]byte(m.Secret + " " + about))
	return hex.EncodeToString(sum[:16])
}

// ensurePart returns the part of a message that is about something, and adds it if there is none. The parts are
// copied: a message that another goroutine read stays as it is.
func ensurePart(m *deployment.Message, about string) *deployment.MessagePart {
	m.Parts = append([]deployment.MessagePart(nil), m.Parts...)
	if p := partOf(*m, about); p != nil {
		if p.Call != nil {
			call := *p.Call
			p.Call = &call
		}
		return p
	}

	part := deployment.MessagePart{About: about, Key: keyOf(*m, about)}
	if card := partOf(*m, aboutCard); card != nil && about != aboutClosing && about != aboutCard {
		part.Thread, part.Channel = card.MessageID, card.Channel
	}
	m.Parts = append(m.Parts, part)
	return &m.Parts[len(m.Parts)-1]
}

// begin notes a call before it is made.
func begin(m deployment.Message, s Step, state deployment.State, now time.Time) deployment.Message {
	p := ensurePart(&m, s.About)
	p.Call = &deployment.MessageCall{
		Edit:       s.Do == DoEdit,
		At:         now,
		SendBefore: now.Add(sendWithin),
		Deadline:   now.Add(sendWithin + callTimeout),
		Hash:       s.Hash,
		State:      state,
	}
	if s.Do == DoPost {
		p.Posts++
	}

	m.Calls++
	m.CalledAt = now
	return m
}

// sendErrorOf returns the kind of an error. One that no Face should return leaves the outcome open.
func sendErrorOf(err error) *SendError {
	var send *SendError
	if errors.As(err, &send) {
		return send
	}
	return &SendError{Kind: SendUnknown, Code: "error", Err: err}
}

// afterPost takes the answer to a post. began is when the call was made.
func afterPost(m deployment.Message, s Step, id MessageID, err error, began, now time.Time) deployment.Message {
	p := ensurePart(&m, s.About)
	if err == nil {
		adopt(p, id)
		m.Failures = 0
		return m
	}

	e := sendErrorOf(err)
	switch {
	case e.Kind == SendUnknown:
		p.Call.Returned, p.Call.Deadline = now, began.Add(callTimeout)
		return countFailure(m, now)
	case e.Kind == SendLimited && !e.Local: // most likely nothing was posted: one look-up is enough
		p.Posts--
		m.Calls--
		p.Call.Returned, p.Call.Refused = now, true
		return m
	}

	p.Posts--
	p.Call = nil
	if e.Local || e.Kind == SendNotSent {
		m.Calls--
	}
	switch e.Kind {
	case SendLimited:
		return m
	case SendGone, SendFinal:
		p.Gone = goneReply
		if p.Thread == "" {
			p.Gone = goneRefused
		}
		return m
	case SendContent:
		return refusedContent(m, p)
	}
	return retryLater(m, now)
}

// adopt takes that a part is posted.
func adopt(p *deployment.MessagePart, id MessageID) {
	p.Channel, p.MessageID = id.Channel, id.Message
	p.State, p.Hash = p.Call.State, p.Call.Hash
	if p.First == "" {
		p.First = p.State
	}
	p.Call = nil
}

// afterEdit takes the answer to an edit.
func afterEdit(m deployment.Message, s Step, err error, began, now time.Time) deployment.Message {
	p := ensurePart(&m, s.About)
	if err == nil {
		p.State, p.Hash, p.Tidied = p.Call.State, p.Call.Hash, s.Tidy
		p.Call = nil
		m.Failures = 0
		return m
	}

	e := sendErrorOf(err)
	if e.Kind == SendUnknown { // it may still land, so the next one waits
		p.Call.Returned, p.Call.Deadline = now, latest(began.Add(callTimeout), now.Add(firstRetry))
		return countFailure(m, now)
	}

	p.Call = nil
	if e.Local || e.Kind == SendNotSent || e.Kind == SendLimited {
		m.Calls-- // it had no effect
	}
	switch e.Kind {
	case SendLimited:
		return m
	case SendGone:
		p.MessageID = ""
		if p.Posts >= maxPosts {
			p.Gone = goneDeleted
		}
		return m
	case SendFinal:
		p.Gone = goneFinal
		return m
	case SendContent:
		return refusedContent(m, p)
	}
	return retryLater(m, now)
}

// afterFind takes the answer to a look-up for a part.
func afterFind(
	m deployment.Message,
	s Step,
	id MessageID,
	found bool,
	err error,
	now time.Time,
) deployment.Message {
	p := ensurePart(&m, s.About)
	if err != nil {
		switch e := sendErrorOf(err); {
		case e.Kind == SendLimited:
			return m
		case e.Kind == SendForbidden && p.Call.Refused && !p.Call.Restored:
			p.Call.Absent++ // the chat system said that it posted nothing, and there is no way to check that
			return m
		case e.Kind == SendForbidden, e.Kind == SendGone:
			p.Gone, p.Call = goneLost, nil
			return m
		default:
			return retryLater(m, now)
		}
	}

	m.Failures = 0
	m.RetryAt = time.Time{}
	switch c := p.Call; {
	case found && c.Refused: // it was not counted
		m.Calls++
		adopt(p, id)
	case found:
		adopt(p, id)
	case c.Refused:
		c.Absent++
	case c.Absent == 0 && now.Before(c.Deadline.Add(findFirst)):
		m.RetryAt = c.Deadline.Add(findFirst)
	case c.Absent == 0:
		c.Absent++
		m.RetryAt = latest(now.Add(findFirst), c.Deadline.Add(findLast))
	case now.Before(c.Deadline.Add(findLast)):
		m.RetryAt = c.Deadline.Add(findLast)
	case p.Posts >= maxPosts: // it is shown later than is known, or something hides it
		p.Gone, p.Call = goneLost, nil
	default:
		c.Absent++
	}
	return m
}

// refusedContent sends the plain text of a part from now on, or nothing where that was refused, too.
func refusedContent(m deployment.Message, p *deployment.MessagePart) deployment.Message {
	if p.Plain {
		p.Gone = goneRefused
	}
	p.Plain = true
	return m
}

func countFailure(m deployment.Message, now time.Time) deployment.Message {
	if m.Failures == 0 {
		m.FailedAt = now
	}
	m.Failures++
	return m
}

func retryLater(m deployment.Message, now time.Time) deployment.Message {
	m = countFailure(m, now)
	m.RetryAt = now.Add(backOff(m.Failures))
	return m
}

// lookFirst has a part looked for now, before it is posted, although this service knows of no post: it may have been
// restored from a backup. Where it cannot be looked for, it is given up rather than posted twice.
func lookFirst(m deployment.Message, about string, now time.Time) deployment.Message {
	p := ensurePart(&m, about)
	p.Call = &deployment.MessageCall{
		At:         m.CreatedAt,
		SendBefore: now,
		Deadline:   now,
		Returned:   now,
		Refused:    true,
		Restored:   true,
	}
	m.Due = now
	return m
}

// isUnsaid says whether, as far as is known, nothing was posted for a part of a message.
func isUnsaid(m deployment.Message, about string) bool {
	p := partOf(m, about)
	return p == nil || p.Posts == 0 && p.Call == nil
}
