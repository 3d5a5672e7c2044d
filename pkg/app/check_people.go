package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/github"
)

// checkTokens warns of tokens that may speak only for a chat whose people nobody has listed.
func (c *checker) checkTokens() {
	const format = "the token %s of SERAPH_API_TOKENS may speak only for people of %s/%s, and people in the routes " +
		"file names none of them: nobody can ask by it"

	for _, t := range c.cfg.APITokens {
		if t.Face != "" && !c.cfg.Routes.KnowsChat(t.Face, t.Workspace) {
			c.found(Warning, format, t.Name, t.Face, t.Workspace)
		}
	}
}

// checkPeople asks GitHub whether the ids of people are those of their logins. An id decides who somebody
// is, and a wrong number cannot be seen by reading it.
func (c *checker) checkPeople(ctx context.Context) {
	const (
		missing = "people in line %d: GitHub shows no account with id %d (%s): nobody can act as it"
		other   = "people in line %d: the account with id %d is called %s, not %s: was it renamed, or is the id " +
			"another person's?"
	)

	var through deployment.Repository
	if repositories := c.cfg.Routes.Repositories(); len(repositories) > 0 {
		through = repositories[0]
	}

	for _, p := range c.cfg.Routes.People() {
		login, err := c.clients.github.Person(ctx, p.ID, through, 0)
		switch {
		case errors.Is(err, github.ErrNoPerson):
			c.found(Warning, missing, p.Line, p.ID, p.Login)
		case err != nil && c.late(ctx, fmt.Sprintf("GitHub: people in line %d and after it", p.Line)):
			return
		case err != nil:
			c.found(Warning, "people in line %d and after it cannot be compared with GitHub: %v", p.Line, err)
			return
		case !strings.EqualFold(login, p.Login):
			c.found(Warning, other, p.Line, p.ID, login, p.Login)
		}
	}
}
