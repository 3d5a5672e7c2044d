package hookshot

import (
	"net/http"
	"slices"
	"time"
)

// Treatment is how one delivery differs from the normal case. The zero value is the normal case.
type Treatment struct {
	Lose   bool          // never sent and not listed by the API, as when GitHub drops it
	Fail   int           // not sent but recorded with this status code, as when the receiver was down (502, 504)
	Delay  time.Duration // sent later
	Copies int           // how many more times it is sent, with the same GUID

	After <-chan struct{} // sent when this is closed; nil: at once
	batch *batch
}

// batch collects deliveries to send in reverse order.
type batch struct {
	size int
	held []Delivery
}

// Next applies a treatment to the next deliveries of an event ("*" for any event), as many as times
// says. The treatments of several calls are used in order.
func (s *Sender) Next(event string, t Treatment, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range times {
		s.planned[event] = append(s.planned[event], t)
	}
}

// Reorder holds the next deliveries of an event, as many as count says, and then sends them newest
// first, each after the response to the previous one.
func (s *Sender) Reorder(event string, count int) {
	s.Next(event, Treatment{batch: &batch{size: count}}, count)
}

// takeTreatment removes and returns the treatment of the next delivery of this event.
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
			s.start(d, t)
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

// start sends d in the background when its treatment says so, unless the Sender is closed before.
func (s *Sender) start(d Delivery, t Treatment) {
	s.running.Go(func() {
		if t.After != nil {
			select {
			case <-t.After:
			case <-s.ctx.Done():
				return
			}
		}
		if t.Delay > 0 {
			select {
			case <-time.After(t.Delay):
			case <-s.ctx.Done():
				return
			}
		}

		s.deliver(d)
	})
}
