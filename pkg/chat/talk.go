package chat

import (
	"context"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/grammar"
	"github.com/seraph-deploy/seraph/pkg/phrase"
)

// talk answers what changes nothing and needs no database.
func (s *Service) talk(c command.Caller, p phrase.Prefix, cmd grammar.Command) string {
	switch cmd.Verb {
	case grammar.Where:
		return s.where(p, cmd)
	case grammar.WhoAmI:
		return phrase.WhoAmI(c.By)
	case grammar.Link:
		return s.linkPerson(c, p)
	default:
		return p.Help(cmd.Topic)
	}
}

// linkPerson says why whoever asks needs no link, or how they get another one: commands of people who are not known do
// not come here. A line cannot begin a link, because others may read its answer, and the address of a link must be
// shown to its user alone: package slackapp does that.
func (s *Service) linkPerson(c command.Caller, p phrase.Prefix) string {
	if c.By.ID == 0 || c.Chat == (command.ChatUser{}) {
		return phrase.Named(c.By)
	}
	if who, ok := s.o.Routes.Person(c.Chat.Face, c.Chat.Workspace, c.Chat.User); ok {
		return phrase.Listed(who)
	}
	return p.Link(c.By)
}

// unlinkPerson ends the link of whoever asks. If the routes file names them, too, the answer says so.
func (s *Service) unlinkPerson(ctx context.Context, c command.Caller) (command.Answer, error) {
	if c.By.ID == 0 || c.Chat == (command.ChatUser{}) {
		return command.Answer{Text: phrase.Named(c.By)}, nil
	}
	if err := s.o.Unlink(ctx, c.Chat); err != nil {
		return command.Answer{}, err
	}
	if who, ok := s.o.Routes.Person(c.Chat.Face, c.Chat.Workspace, c.Chat.User); ok {
		return command.Answer{Text: phrase.Unlink(who)}, nil
	}
	return command.Answer{Text: phrase.Unlinked(c.By)}, nil
}

// where says where an app can be deployed.
func (s *Service) where(p phrase.Prefix, cmd grammar.Command) string {
	app, _ := s.o.Routes.Names().App(cmd.App)
	var names, patterns []string
	var production bool // the example names a production environment: there was no other so far
	example := grammar.Command{Verb: grammar.Deploy, App: cmd.App, Environment: "ENV"}
	for _, e := range app.Environments {
		if e.Pattern() {
			patterns = append(patterns, e.Name)
			continue
		}
		names = append(names, e.Name)
		if len(names) == 1 || production && !e.Production {
			example.Environment, production = e.Name, e.Production
		}
	}

	return p.Where(cmd.App, names, patterns, example.String())
}
