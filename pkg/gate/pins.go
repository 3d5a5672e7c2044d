package gate

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/policy"
)

// How long the look-up of names pauses before it is tried again.
const (
	minPinPause = time.Minute
	maxPinPause = time.Hour
)

// PinStore keeps pins. AddPin keeps the first id of a name, and returns the pin that stands.
type PinStore interface {
	Pins(ctx context.Context) ([]policy.Pin, error)
	AddPin(ctx context.Context, p policy.Pin) (policy.Pin, error)
}

// Pins knows the ids of the names in the routes file. It looks each name up once and remembers its id
// in the database, so that another account, team or repository that gets the name later does not
// count as the former one. A name without an id yet means whoever has it now.
type Pins struct {
	Names        []policy.PinnedName
	Store        PinStore
	People       People
	Repositories Repositories
	Log          zerolog.Logger

	mu  sync.RWMutex
	ids map[policy.PinKind]map[string]int64
}

// Load reads the ids that were remembered, and those that the routes file gives. It is called before
// anything is decided, so that a name never counts for somebody else after a restart.
func (p *Pins) Load(ctx context.Context) error {
	stored, err := p.Store.Pins(ctx)
	if err != nil {
		return fmt.Errorf("read ids of names: %w", err)
	}

	for _, pin := range stored {
		p.remember(pin)
	}
	for _, name := range p.Names {
		if name.ID != 0 {
			p.remember(name.Pin)
		}
	}

	return nil
}

// Run looks up the names that have no id yet until all have one or ctx ends, and warns about those
// that belong to somebody else by now.
func (p *Pins) Run(ctx context.Context) {
	for pause := minPinPause; ; pause = min(2*pause, maxPinPause) {
		missing := p.lookUp(ctx)
		if missing == 0 {
			return
		}

		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// lookUp looks up all names and returns how many could not be.
func (p *Pins) lookUp(ctx context.Context) (missing int) {
	for _, name := range p.Names {
		if err := p.pin(ctx, name); err != nil {
			missing++
			p.Log.Warn().Err(err).Str("kind", string(name.Kind)).Str("name", name.Name).Msg("name not looked up")
		}
	}

	return missing
}

func (p *Pins) pin(ctx context.Context, name policy.PinnedName) error {
	if name.ID != 0 {
		return nil
	}

	current, err := p.currentID(ctx, name)
	if err != nil {
		return err
	}

	pin, err := p.Store.AddPin(ctx, policy.Pin{Kind: name.Kind, Name: name.Name, ID: current})
	if err != nil {
		return err
	}

	p.remember(pin)
	if pin.ID != current {
		p.Log.Warn().Msg(changedID(name.Kind, name.Name, current, pin.ID))
	}

	return nil
}

func (p *Pins) currentID(ctx context.Context, name policy.PinnedName) (int64, error) {
	switch name.Kind {
	case policy.PinUser:
		person, err := p.People.PersonByLogin(ctx, name.Name, name.Through, 0)
		return person.ID, err
	case policy.PinTeam:
		org, team, _ := strings.Cut(name.Name, "/")
		return p.People.TeamID(ctx, org, team, name.Through, 0)
	default:
		owner, repository, _ := strings.Cut(name.Name, "/")
		source, err := p.Repositories.ResolveRepository(ctx, owner, repository)
		return source.Repository.ID, err
	}
}

// remember keeps a pin in memory. One that the routes file gives takes precedence over a stored one.
func (p *Pins) remember(pin policy.Pin) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ids == nil {
		p.ids = map[policy.PinKind]map[string]int64{}
	}
	if p.ids[pin.Kind] == nil {
		p.ids[pin.Kind] = map[string]int64{}
	}

	for _, name := range p.Names {
		if name.Kind == pin.Kind && name.Name == pin.Name {
			p.ids[pin.Kind][pin.Name] = cmp.Or(name.ID, pin.ID)
		}
	}
}

// id returns the id of a name; 0: the routes file does not hold it, or it was not looked up yet.
func (p *Pins) id(kind policy.PinKind, name string) int64 {
	if p == nil {
		return 0
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.ids[kind][strings.ToLower(name)]
}

// idsOf returns the ids of logins, as far as they were looked up.
func (p *Pins) idsOf(logins []string) []int64 {
	var ids []int64
	for _, login := range logins {
		if id := p.id(policy.PinUser, login); id != 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// repositoryNames returns the names in the routes file that belong to the repository of an id.
func (p *Pins) repositoryNames(id int64) []string {
	if p == nil {
		return nil
	}
	p.mu.RLock()
	defer p.mu.RUnlock()

	var names []string
	for name, pinned := range p.ids[policy.PinRepository] {
		if pinned == id {
			names = append(names, name)
		}
	}

	return names
}

// changedID says that another account, team or repository has a name now, and what the operator can do.
func changedID(kind policy.PinKind, name string, current, pinned int64) string {
	remedy := "id:%d"
	if kind == policy.PinRepository {
		remedy = "repository_id: %d"
	}
	format := "%s is another %s than before: if that is right, write " + remedy + " (was %d)"
	return fmt.Sprintf(format, name, kind, current, pinned)
}

// policyFor finds the policy of a request. A repository whose name or id is not the one for which the
// routes file names a route with rules is not deployed by any other route.
func (g *Gate) policyFor(req deployment.Request) (policy.Policy, bool) {
	p, ok := g.Policies.Policy(req)
	p.SharedIDs = g.Pins.idsOf(p.SharedAccounts)

	name, id := req.Repository.FullName(), req.Repository.ID
	pinned := g.Pins.id(policy.PinRepository, name)
	if pinned != 0 && pinned != id && ok && !p.Empty() {
		p.WrongRoute = changedID(policy.PinRepository, name, id, pinned)
		return p, true
	}

	for _, former := range g.formerRequests(req) {
		if rules, found := g.Policies.Policy(former); found && !rules.Empty() {
			const format = "%s was %s, whose route has rules: name it so in the routes file"
			p.WrongRoute = fmt.Sprintf(format, name, former.Repository.FullName())
			return p, true
		}
	}

	return p, ok
}

// unlockPolicies returns the policies that must all allow somebody to take away somebody else's lock: those of
// all routes to the environment, under the names that the repository had before, too. false: a route does not
// accept deployments of the request's creator.
func (g *Gate) unlockPolicies(req deployment.Request) ([]policy.Policy, bool) {
	all, accepted := g.Policies.UnlockPolicies(req)
	if p, _ := g.policyFor(req); p.WrongRoute != "" {
		all = append(all, policy.Policy{WrongRoute: p.WrongRoute})
	}

	for _, former := range g.formerRequests(req) {
		policies, ok := g.Policies.UnlockPolicies(former)
		all, accepted = append(all, policies...), accepted && ok
	}

	return all, accepted
}

// formerRequests returns a request under each other name that the routes file has for its repository. There are
// none if the routes file has the current name for it as well.
func (g *Gate) formerRequests(req deployment.Request) []deployment.Request {
	id := req.Repository.ID
	if g.Pins.id(policy.PinRepository, req.Repository.FullName()) == id {
		return nil
	}

	var requests []deployment.Request
	for _, former := range g.Pins.repositoryNames(id) {
		renamed := req
		renamed.Repository.Owner, renamed.Repository.Name, _ = strings.Cut(former, "/")
		requests = append(requests, renamed)
	}

	return requests
}
