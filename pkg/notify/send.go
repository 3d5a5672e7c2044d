package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// factsTimeout is how long it may take to gather what a message shows.
const factsTimeout = 20 * time.Second

// work takes the next step with a message. It returns from when it may be worked on again, where a limit keeps it
// back.
func (s *session) work(ctx context.Context, m deployment.Message) (notYet time.Time) {
	f, step, err := s.plan(ctx, &m)
	if err == nil {
		notYet, err = s.take(ctx, m, f, step)
	}

	switch {
	case err == nil, isStale(err), errors.Is(err, deployment.ErrNotFound):
	case ctx.Err() == nil:
		s.o.Log.Warn().Err(err).Str("topic", m.Topic).Msg("message not worked on")
		return s.o.Now().Add(firstRetry)
	}
	return notYet
}

// plan finds out what is to be done next. It gathers the facts only where the deployment alone does not tell.
func (s *session) plan(ctx context.Context, m *deployment.Message) (f Facts, step Step, err error) {
	ctx, cancel := context.WithTimeout(ctx, factsTimeout)
	defer cancel()

	if m.Row != 0 {
		f.Deployment, err = s.o.Source.Load(ctx, m.Row)
		if err != nil {
			return f, step, err
		}
	}

	now := s.o.Now()
	*m = withClock(*m, now)
	switch _, ready := Ready(*m, f.Deployment, now); {
	case ready && m.Kind == deployment.MessageList:
		f.Listed, err = s.listed(ctx, m.ID)
	case ready && m.Row != 0:
		f, err = s.gather(ctx, m, f.Deployment)
	}
	if err != nil {
		return f, step, fmt.Errorf("gather facts: %w", err)
	}
	return f, Plan(*m, f, now), nil
}

// gather finds out what a message about a deployment shows.
func (s *session) gather(ctx context.Context, m *deployment.Message, d deployment.Deployment) (Facts, error) {
	f, err := s.o.Source.Facts(ctx, d)
	if err != nil {
		return f, err
	}

	s.settle(m, d)
	f.InBurst, err = s.inBurst(ctx, *m)
	if err != nil {
		return f, err
	}

	s.count(ctx, m, &f)
	return f, nil
}

// settle takes over what the route says now about the channel. A channel that it names no more keeps what it said
// at the beginning.
func (s *session) settle(m *deployment.Message, d deployment.Deployment) {
	for _, n := range s.o.Source.Channels(d) {
		if n.Face == m.Face && n.Channel == m.Channel {
			m.Settings = withDefaults(n, d.Request, s.o.Source.Outline(d).Route.Production)
		}
	}
}

// count counts the commits since what ran before, once for each card and commit that ran before.
func (s *session) count(ctx context.Context, m *deployment.Message, f *Facts) {
	if f.Before == nil || m.Kind != deployment.MessageCard || isListed(*m, *f) {
		return
	}

	if !m.Counted || m.Before != f.Before.DeploymentID {
		ahead, err := s.o.Source.Compare(ctx, f.Deployment, *f.Before)
		m.Before, m.Counted, m.Compared = f.Before.DeploymentID, true, err == nil
		m.Ahead, m.Behind = ahead.Ahead, ahead.Behind
	}
	if m.Compared {
		f.Ahead = &Ahead{Ahead: m.Ahead, Behind: m.Behind}
	}
}

// take does a step.
func (s *session) take(ctx context.Context, m deployment.Message, f Facts, step Step) (notYet time.Time, err error) {
	now := s.o.Now()
	m.Rank = step.Rank
	switch step.Do {
	case DoWait:
		m.Due = dueAt(step.At)
		return notYet, s.save(ctx, &m)
	case DoFinish:
		m.Done, m.Due = true, time.Time{}
		return notYet, s.save(ctx, &m)
	case DoGiveUp:
		m.Done, m.Unsent, m.UnsentAt, m.Due = true, step.Why, now, time.Time{}
		s.o.Log.Error().Str("topic", m.Topic).Str("reason", step.Why).Msg("message given up")
		return notYet, s.save(ctx, &m)
	case DoSummarize:
		return notYet, s.summarize(ctx, m)
	case DoList:
		if s.mayBeRestored(m, aboutCard) { // a card that was posted stays one
			m = lookFirst(m, aboutCard, now)
			return notYet, s.save(ctx, &m)
		}
		return notYet, s.join(ctx, m)
	}

	if isLastCall(m, step) && !s.answers(ctx, m) {
		m = retryLater(m, now)
		m.Due = m.RetryAt
		return notYet, s.save(ctx, &m)
	}

	channel := m.Channel
	if at, ok := s.pace.take(step.Do, channel, step.Rank, now); !ok {
		return at, nil
	}
	if step.Do == DoFind {
		return notYet, s.find(ctx, m, step)
	}
	if step.Do == DoPost && s.mayBeRestored(m, step.About) {
		m = lookFirst(m, step.About, now)
		return notYet, s.save(ctx, &m)
	}
	return notYet, s.call(ctx, m, f, step)
}

// isLastCall says whether a step takes the last call of a message for which the newest ones have failed.
func isLastCall(m deployment.Message, step Step) bool {
	calls := step.Do == DoPost || step.Do == DoEdit
	return calls && m.Failures > 0 && m.Calls == maxCalls-1 && m.Kind != deployment.MessageList
}

// dueAt is a moment in microseconds, as it is stored, and not before it: earlier there would be nothing to do yet.
func dueAt(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.Add(time.Microsecond - 1).Truncate(time.Microsecond)
}

// mayBeRestored says whether a part that was never posted may have been: the database is perhaps an older one.
func (s *session) mayBeRestored(m deployment.Message, about string) bool {
	return s.suspect && m.CreatedAt.Before(s.began) && isUnsaid(m, about)
}

func (s *session) save(ctx context.Context, m *deployment.Message) error {
	saved, err := s.o.Store.SaveMessage(ctx, *m)
	if err != nil {
		return err
	}

	*m = saved
	return nil
}

// call posts or edits. What is about to be done is saved first: after a crash a post is looked for before it is
// repeated, and of two processes only one can save it.
func (s *session) call(ctx context.Context, m deployment.Message, f Facts, step Step) error {
	m = begin(m, step, f.Deployment.State, s.o.Now())
	m.Due = partOf(m, step.About).Call.Deadline
	if err := s.save(ctx, &m); err != nil {
		return err
	}

	began := s.o.Now()
	p := *partOf(m, step.About)
	step.plain(p.Plain)
	calling, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()

	var id MessageID
	var err error
	switch {
	case began.After(p.Call.SendBefore):
		err = &SendError{Kind: SendNotSent, Code: "too late"}
	case step.Do == DoEdit:
		err = s.o.Face.Edit(calling, MessageID{Channel: p.Channel, Message: p.MessageID}, *step.Card)
	default:
		id, err = s.o.Face.Post(calling, Post{
			Channel:   m.Channel,
			Key:       p.Key,
			Thread:    p.Thread,
			Broadcast: step.Broadcast && p.Thread != "",
			Card:      step.Card,
			Note:      step.Note,
		})
	}

	now := s.o.Now()
	s.learn(step.Do, m.Channel, err, began, now)
	if step.Do == DoEdit {
		m = afterEdit(m, step, err, began, now)
	} else {
		m = afterPost(m, step, id, err, began, now)
	}
	m.Due = now
	return s.save(context.WithoutCancel(ctx), &m)
}

// find looks for a part that may have been posted.
func (s *session) find(ctx context.Context, m deployment.Message, step Step) error {
	p := *partOf(m, step.About)
	channel := m.Channel
	if p.Channel != "" {
		channel = p.Channel
	}

	calling, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	began := s.o.Now()
	id, found, err := s.o.Face.Find(calling, Find{
		Channel: channel,
		Thread:  p.Thread,
		Key:     p.Key,
		Since:   p.Call.At.Add(-clockMargin),
	})

	now := s.o.Now()
	s.learn(DoFind, m.Channel, err, began, now)
	m = afterFind(m, step, id, found, err, began) // the answer may be as of then, however late it came
	m.Due = now
	return s.save(context.WithoutCancel(ctx), &m)
}

// learn takes what the answer to a call says about other calls. began is when the call began.
func (s *session) learn(do Do, channel string, err error, began, now time.Time) {
	if err == nil {
		s.works(channel)
		return
	}

	e := sendErrorOf(err)
	s.o.Log.Info().Err(err).Str("face", s.o.Name).Str("channel", channel).Msg("message not sent")
	switch e.Kind {
	case SendUnknown, SendNotSent, SendFace:
		s.failed(e, now)
	case SendLimited:
		s.pace.limit(do, channel, e.Wait, now)
	case SendChannel:
		s.pauseChannel(channel, e, began, now)
	case SendForbidden:
		if do != DoFind {
			s.pauseChannel(channel, e, began, now)
		}
	default:
		s.works("")
	}
}

func (s *session) pauseChannel(channel string, e *SendError, began, now time.Time) {
	until, first := s.pace.pauseChannel(channel, e.Code, began, now)
	if first {
		s.o.Log.Warn().Err(e).Str("face", s.o.Name).Str("channel", channel).Time("until", until).
			Msg("channel not usable, run \"seraph check\"")
	}
}

// summarize has one note say how all deployments ended that a channel never showed and that ended long ago.
func (s *session) summarize(ctx context.Context, m deployment.Message) error {
	s.summing.Lock()
	defer s.summing.Unlock()

	due, err := s.o.Store.DueMessages(ctx, m.Face, dueBatch)
	if err != nil {
		return err
	}

	now := s.o.Now()
	var summed []deployment.Message
	var ended []deployment.Deployment
	for _, other := range due {
		if other.Channel != m.Channel || other.Row == 0 || other.Done {
			continue
		}

		d, err := s.o.Source.Load(ctx, other.Row)
		switch {
		case errors.Is(err, deployment.ErrNotFound):
			continue
		case err != nil:
			return err
		}
		if !isOld(other, d, now) || !wants(other.Settings, d.State) {
			continue
		}

		other.Done, other.Unsent, other.UnsentAt, other.Due = true, "it was summed up", now, time.Time{}
		summed, ended = append(summed, other), append(ended, d)
	}
	if len(summed) == 0 {
		return nil
	}

	ids := make([]int64, len(summed))
	for i, t := range summed {
		ids[i] = t.ID
	}
	topic := fmt.Sprintf("summary/%s/%s/%d", m.Face, m.Channel, slices.Min(ids))
	n, err := newNote(m.Face, m.Channel, topic, SummaryNote(ended), now)
	if err != nil {
		return err
	}
	return s.o.Store.ReplaceMessages(ctx, summed, n)
}
