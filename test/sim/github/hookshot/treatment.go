package hookshot

import (
	"net/http"
	"slices"
	"time"
)

// Treatment is what happens to one delivery other than being sent at once. The zero value is the
// normal case.
type Treatment struct {
	Lose   bool          // never sent and in no list, as when GitHub drops it
	Fail   int           // not sent but recorded with this status code, as when the receiver was down (502, 504)
	Delay  time.Duration // sent later
	Copies int           // sent so many times more under the same GUID
	batch  *batch
}

// batch collects deliveries that are to be sent in reverse.
type batch struct {
	size int
	held []Delivery
}

// Next treats the next so many deliveries of an event ("*" for any event) in this way. Several
// calls queue up.
func (s *Sender) Next(event string, t Treatment, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range times {
		s.planned[event] = append(s.planned[event], t)
	}
}

// Reorder holds the next so many deliveries of an event and then sends them newest first, each
// after the answer to the one before.
func (s *Sender) Reorder(event string, count int) {
	s.Next(event, Treatment{batch: &batch{size: count}}, count)
}

// next takes the treatment of one delivery of this event.
func (s *Sender) takeTreatment(event string) Treatment {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range []string{event, "*"} {
		if queue := s.planned[key]; len(queue) > 0 {
			s.planned[key] = queue[1:]
			return queue[0]
		}
	}

	return Treatment{}
}

func (s *Sender) dispatch(d Delivery, t Treatment) {
	d.At = s.options.Now()
	switch {
	case t.Lose || len(d.Body) > maxBody:
		d.Lost = true
		s.record(d)
	case t.Fail != 0:
		d.StatusCode, d.Status = t.Fail, http.StatusText(t.Fail)
		s.record(d)
	case t.batch != nil:
		s.holdForBatch(d, t.batch)
	default:
		for range 1 + t.Copies {
			s.start(d, t.Delay)
		}
	}
}

func (s *Sender) holdForBatch(d Delivery, b *batch) {
	s.mu.Lock()
	b.held = append(b.held, d)
	full := len(b.held) == b.size
	s.mu.Unlock()
	if !full {
		return
	}

	slices.Reverse(b.held)
	s.running.Go(func() {
		for _, d := range b.held {
			s.deliver(d)
		}
	})
}

// start sends d in the background after the delay, unless the Sender is closed before.
func (s *Sender) start(d Delivery, delay time.Duration) {
	s.running.Go(func() {
		if delay > 0 {
			select {
			case <-time.After(delay):
			case <-s.ctx.Done():
				return
			}
		}

		s.deliver(d)
	})
}
