package slack

import (
	"context"
	"maps"
	"slices"
)

// Messages returns the messages of a channel that exist, replies included, oldest first. An empty channel stands for
// all.
func (s *Server) Messages(channel string) []Message {
	return s.list(func(m *message) bool {
		return m.OnlyFor == "" && !m.Deleted && (channel == "" || m.Channel == channel)
	})
}

// Ephemerals returns what only one user sees, oldest first. An empty user stands for all.
func (s *Server) Ephemerals(user string) []Message {
	return s.list(func(m *message) bool {
		return m.OnlyFor != "" && !m.Deleted && (user == "" || m.OnlyFor == user)
	})
}

// Posted returns every message that was ever written to a channel, deleted ones and ephemeral ones too, oldest first.
// An empty channel stands for all.
func (s *Server) Posted(channel string) []Message {
	return s.list(func(m *message) bool { return channel == "" || m.Channel == channel })
}

func (s *Server) list(wanted func(*message) bool) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Message
	for _, m := range s.messages {
		if wanted(m) {
			all = append(all, m.Message)
		}
	}
	return all
}

// Message returns a message that exists, an ephemeral one too.
func (s *Server) Message(channel, ts string) (Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.find(channel, ts)
	if m == nil {
		return Message{}, false
	}
	return m.Message, true
}

// Versions returns all versions of a message, oldest first, also of a deleted one.
func (s *Server) Versions(channel, ts string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		if m.Channel == channel && m.TS == ts {
			return append(slices.Clone(m.versions), m.Message)
		}
	}
	return nil
}

// Views returns the open modals of a user, the topmost last. An empty user stands for all.
func (s *Server) Views(user string) []View {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []View
	for _, v := range s.views {
		if v.Type == "modal" && !v.Closed && (user == "" || v.User == user) {
			all = append(all, v.View)
		}
	}
	return all
}

// AllViews returns all modals and home tabs that there ever were, in order of their opening.
func (s *Server) AllViews() []View {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []View
	for _, v := range s.views {
		all = append(all, v.View)
	}
	return all
}

// Home returns the home tab of a user in Options.Team.
func (s *Server) Home(user string) (View, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.views {
		if v.Type == "home" && v.User == user && v.Team == s.options.Team {
			return v.View, true
		}
	}
	return View{}, false
}

// Calls returns all calls of a method, oldest first. An empty method stands for all.
func (s *Server) Calls(method string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Call
	for _, c := range s.calls {
		if method == "" || c.Method == method {
			call := *c
			call.Args = maps.Clone(c.Args)
			all = append(all, call)
		}
	}
	return all
}

// Deliveries returns all attempts to send something to the app, in order of their end.
func (s *Server) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deliveries)
}

// Wait returns nil when done is true, which is checked at each change, or the cause of the end of ctx.
func (s *Server) Wait(ctx context.Context, done func() bool) error { return s.changed.Wait(ctx, done) }

// WaitMessage waits for a message that exists and that is wanted, and returns the newest one. Ephemeral messages count
// too: see Message.OnlyFor.
func (s *Server) WaitMessage(ctx context.Context, wanted func(Message) bool) (Message, error) {
	return waitLast(ctx, s, func() []Message { return s.list(func(m *message) bool { return !m.Deleted }) }, wanted)
}

// WaitView waits for an open modal or a home tab that is wanted.
func (s *Server) WaitView(ctx context.Context, wanted func(View) bool) (View, error) {
	return waitLast(ctx, s, s.AllViews, func(v View) bool { return !v.Closed && wanted(v) })
}

// waitLast waits until all has an item that is wanted, and returns the last one.
func waitLast[T any](ctx context.Context, s *Server, all func() []T, wanted func(T) bool) (T, error) {
	var found T
	err := s.Wait(ctx, func() bool {
		for _, item := range slices.Backward(all()) {
			if wanted(item) {
				found = item
				return true
			}
		}
		return false
	})

	return found, err
}
