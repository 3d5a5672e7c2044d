package slack

import "strconv"

// echo sends the events of what an app itself has written, edited or deleted: Slack tells an app of its own messages,
// too, where it subscribes to messages. They are sent in the background. The caller holds the lock.
func (s *Server) echo(m *message, subtype string, before Message) {
	ch := s.channels[m.Channel]
	kind, subscription := ch.messageEvents()
	if !s.subscribed(subscription) || s.requestURL == "" || s.ctx.Err() != nil {
		return
	}

	for _, in := range s.installations {
		if !ch.visibleTo(in) || ch.Away {
			continue
		}

		fields := s.wire(m, true)
		fields["type"], fields["channel"], fields["channel_type"], fields["event_ts"] = "message", m.Channel, kind, m.TS
		if subtype != "" {
			previous := s.wire(&message{Message: before}, true)
			fields = Object{
				"type":             "message",
				"subtype":          subtype,
				"channel":          m.Channel,
				"channel_type":     kind,
				"hidden":           true,
				"ts":               s.newTS(),
				"event_ts":         strconv.FormatInt(s.options.Now().Unix(), 10) + ".000200",
				"previous_message": previous,
			}
			if subtype == "message_changed" {
				fields["message"] = s.wire(m, true)
			} else {
				fields["deleted_ts"] = m.TS
			}
		}

		d := s.event(in, m.Channel, fields)
		s.running.Go(func() {
			// an error means that there is no URL any more, or that the simulator ends
			s.sendEvent(d)
		})
	}
}
