package slack

import "strconv"

// Uninstall revokes the token of Options.Team, takes the bot out of all channels, and tells the app: tokens_revoked,
// then app_uninstalled. From then on the app is sent nothing.
func (s *Server) Uninstall() ([]Delivery, error) {
	s.Refuse("account_inactive")
	s.mu.Lock()
	in := s.installationOf(s.options.Team)
	for id, ch := range s.channels {
		if left := *ch; ch.Team == in.team && ch.User == "" {
			left.Away = true
			s.channels[id] = &left
		}
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		in.gone = true
	}()

	var sent []Delivery
	for _, fields := range []Object{
		{"type": "tokens_revoked", "tokens": Object{"oauth": []string{}, "bot": []string{s.options.BotUser}}},
		{"type": "app_uninstalled"},
	} {
		name, _ := fields["type"].(string)
		if !s.subscribed(name) {
			continue
		}

		fields["event_ts"] = strconv.FormatInt(s.options.Now().Unix(), 10) + ".000100"
		s.mu.Lock()
		d := s.event(in, "", fields)
		s.mu.Unlock()
		first, err := s.sendEvent(d)
		if err != nil {
			return sent, err
		}
		sent = append(sent, first)
	}

	return sent, nil
}

// Reinstall installs the app again in Options.Team, after Uninstall. The bot is the same one, has a new token, and is
// in no channel; the old token stays revoked.
func (s *Server) Reinstall() Installation {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.installationOf(s.options.Team)
	in.revoked, in.token = in.token, "xoxb-simulated-"+s.newID("")+"-slack"
	in.gone, in.refused = false, ""
	return Installation{Team: in.team, Token: in.token, BotUser: in.botUser, BotID: in.botID}
}
