package gate

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
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
// count as the former one. A name without an id yet means whoever has it now. Create it with NewPins; it
// is safe for concurrent use.
type Pins struct {
	o      PinOptions
	loaded chan struct{} // gets a value when there are other names to look up

	mu    sync.RWMutex
	names []policy.PinnedName
	ids   map[policy.PinKind]map[string]int64
}

// PinOptions are what Pins are made of. All fields are required.
type PinOptions struct {
	Store        PinStore
	People       People
	Repositories Repositories
	Log          zerolog.Logger
}

// NewPins creates Pins that know no name before Load.
func NewPins(o PinOptions) *Pins {
	return &Pins{o: o, loaded: make(chan struct{}, 1)}
}

// Load makes these the names of the routes file, and reads their ids: those that were remembered, and
// those that the file gives. It is called before anything is decided by the routes, so that a name never
// counts for somebody else after a restart, or after the routes were read again.
//
// The names of former routes keep their ids in memory, for decisions that are being made by these routes.
// Forget is called once nobody decides by them any more.
func (p *Pins) Load(ctx context.Context, names []policy.PinnedName) error {
	stored, err := p.o.Store.Pins(ctx)
	if err != nil {
		return fmt.Errorf("read ids of names: %w", err)
	}

	p.replace(names, stored)

	select {
	case p.loaded <- struct{}{}:
	default:
	}

	return nil
}

func (p *Pins) replace(names []policy.PinnedName, stored []policy.Pin) {
	p.mu.Lock()
	defer p.mu.Unlock()

	p.names = names
	former := p.ids
	p.ids = map[policy.PinKind]map[string]int64{}
	for kind, ids := range former {
		p.ids[kind] = maps.Clone(ids)
	}

	for _, pin := range stored {
		p.remember(pin)
	}
	for _, name := range names {
		if name.ID != 0 {
			p.remember(name.Pin)
		}
	}
}

// Forget drops the repositories that only former routes name: the routes of the last Load are the ones in use
// now, and these may give such a repository another name. Users and teams keep their ids.
func (p *Pins) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()

	maps.DeleteFunc(p.ids[policy.PinRepository], func(name string, _ int64) bool {
		return !slices.ContainsFunc(p.names, func(n policy.PinnedName) bool {
			return n.Kind == policy.PinRepository && n.Name == name
		})
	})
}

// Run looks up the names that have no id yet until ctx ends, and warns about those that belong to
// somebody else by now. It looks again after each Load, and, as long as names have no id, after a pause.
func (p *Pins) Run(ctx context.Context) {
	pause := minPinPause
	for {
		select {
		case <-p.loaded: // its names are looked up now
		default:
		}

		var again <-chan time.Time
		if p.lookUp(ctx) > 0 {
			again = time.After(pause)
			pause = min(2*pause, maxPinPause)
		}

		select {
		case <-ctx.Done():
			return
		case <-again:
		case <-p.loaded:
			pause = minPinPause
		}
	}
}

// lookUp looks up all names and returns how many could not be.
func (p *Pins) lookUp(ctx context.Context) (missing int) {
	p.mu.RLock()
	names := p.names
	p.mu.RUnlock()

	for _, name := range names {
		if err := p.pin(ctx, name); err != nil {
			missing++
			p.o.Log.Warn().Err(err).Str("kind", string(name.Kind)).Str("name", name.Name).Msg("name not looked up")
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

	pin, err := p.o.Store.AddPin(ctx, policy.Pin{Kind: name.Kind, Name: name.Name, ID: current})
	if err != nil {
		return err
	}

	p.mu.Lock()
	p.remember(pin)
	p.mu.Unlock()

	if pin.ID != current {
		p.o.Log.Warn().Msg(changedID(name.Kind, name.Name, current, pin.ID))
	}

	return nil
}

func (p *Pins) currentID(ctx context.Context, name policy.PinnedName) (int64, error) {
	switch name.Kind {
	case policy.PinUser:
		person, err := p.o.People.PersonByLogin(ctx, name.Name, name.Through, 0)
		return person.ID, err
	case policy.PinTeam:
		org, team, _ := strings.Cut(name.Name, "/")
		return p.o.People.TeamID(ctx, org, team, name.Through, 0)
	default:
		owner, repository, _ := strings.Cut(name.Name, "/")
		source, err := p.o.Repositories.ResolveRepository(ctx, owner, repository)
		return source.Repository.ID, err
	}
}

// remember keeps a pin in memory if the routes file has its name; the caller holds mu. A pin that the
// routes file gives takes precedence over a stored one.
func (p *Pins) remember(pin policy.Pin) {
	for _, name := range p.names {
		if name.Kind != pin.Kind || name.Name != pin.Name {
			continue
		}
		if p.ids[pin.Kind] == nil {
			p.ids[pin.Kind] = map[string]int64{}
		}
		p.ids[pin.Kind][pin.Name] = cmp.Or(name.ID, pin.ID)
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
