package route

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// Admit returns the target of a request, or why the request is ignored, or why it must end at once.
// key is what the template .Key renders to. It must be unguessable and unique to the deployment.
func (t *Table) Admit(req deployment.Request, key string) deployment.Admission {
	if task := t.reservedTask(req.Task); task != "" {
		return t.admitLockTask(req, key, task)
	}

	r, ok := t.find(req)
	if !ok {
		return deployment.Admission{Ignored: "no route matches this repository, environment and task"}
	}

	if apps := automationNames(req); !r.acceptsCreator(req, t.own, apps) {
		return deployment.Admission{
			Ignored: fmt.Sprintf("made by %s, which is not among the route's apps", strings.Join(apps, ", ")),
		}
	}

	return r.render(req, key)
}

// render makes the target. The first part that cannot be made is the deployment's problem.
func (r Route) render(req deployment.Request, key string) deployment.Admission {
	a := deployment.Admission{Target: deployment.Target{
		Project:     r.Project,
		Definition:  r.Definition,
		Revision:    r.Revision,
		Key:         key,
		CarriesKey:  r.CarriesKey,
		Timeout:     r.timeout,
		HoldTimeout: r.holdTimeout,
		HasRules:    r.hasRules,
		FixedRef:    r.FixedRef,
		FixedConfig: r.FixedConfig,
		ShowLogs:    r.Logs,
		Operation:   r.operation,
	}}
	if r.RollbackKeep != defaultRollbackKeep {
		a.Target.Keep = r.RollbackKeep
	}

	data := newTemplateData(r.withoutUnusedPayload(req), key)
	if a.Target.ForceReason, a.Problem = forceReason(data.Payload); a.Problem != "" {
		return a
	}
	if a.Target.Project == "" {
		a.Target.Project = "gh/" + req.Repository.FullName()
	}
	if payloadTooLarge(req) && r.mayUsePayload() {
		a.Problem = "the payload is larger than 1 MiB, and a template of the route uses it"
		return a
	}

	if a.Problem = r.renderRefs(&a.Target, data); a.Problem != "" {
		return a
	}
	a.Target.Ref = r.preferBranch(a.Target.Ref, req.Ref)

	if a.Problem = r.renderParameters(&a.Target, data); a.Problem != "" {
		return a
	}

	a.Target.EnvironmentURL, a.Notes = r.renderURL(data)
	return a
}

func payloadTooLarge(req deployment.Request) bool {
	return req.PayloadTooLarge || len(req.Payload) > deployment.MaxPayload
}

// mayUsePayload says whether a template of the route may read the payload.
func (r Route) mayUsePayload() bool {
	templates := []*textTemplate{r.ref, r.configRef, r.environmentURL}
	for _, p := range r.parameters {
		templates = append(templates, p.template)
	}
	return slices.ContainsFunc(templates, func(t *textTemplate) bool { return t != nil && t.mayUsePayload })
}

// withoutUnusedPayload drops the payload if no template uses it and it cannot ask for force, so that
// it need not be decoded. A payload with a \u escape might write the force key in another way.
func (r Route) withoutUnusedPayload(req deployment.Request) deployment.Request {
	mayForce := bytes.Contains(req.Payload, []byte(forceKey)) || bytes.Contains(req.Payload, []byte(`\u`))
	if !r.mayUsePayload() && !mayForce {
		req.Payload = nil
	}
	return req
}

func (r Route) renderRefs(target *deployment.Target, data templateData) (problem string) {
	name, err := r.ref.render(data)
	if err != nil {
		return "circleci.ref cannot be rendered: " + err.Error()
	}

	target.Ref = deployment.ParseRef(name)
	switch {
	case target.Ref.Name == "":
		return "circleci.ref rendered to an empty ref"
	case target.Ref.Kind == deployment.RefSHA, !r.FixedRef && target.Ref.ShortOf(data.SHA):
		return "the ref is a commit, which CircleCI cannot build: set circleci.ref on the route"
	case target.Ref.Kind == deployment.RefOther:
		return "CircleCI builds branches and tags, and the ref is neither: set circleci.ref on the route"
	case r.configRef == nil:
		return ""
	}

	name, err = r.configRef.render(data)
	if err != nil {
		return "circleci.config_ref cannot be rendered: " + err.Error()
	}

	target.ConfigRef = deployment.ParseRef(name)
	switch target.ConfigRef.Kind {
	case deployment.RefBare:
		target.ConfigRef.Kind = deployment.RefBranch
	case deployment.RefSHA, deployment.RefOther:
		return "circleci.config_ref must be a branch"
	}
	if target.ConfigRef.Name == "" {
		return "circleci.config_ref must be a branch"
	}

	return ""
}

// preferBranch makes a bare name that was asked for the name of a branch, if the rules do not let a
// tag of that name be deployed. Otherwise CircleCI would be asked for the tag when it does not see
// the branch yet, and the rules would reject the deployment.
func (r Route) preferBranch(ref deployment.Ref, requested string) deployment.Ref {
	asRequested := ref.Kind == deployment.RefBare && ref == deployment.ParseRef(requested)
	if asRequested && !r.Policy.AllowsRef("refs/tags/"+ref.Name) {
		ref.Kind = deployment.RefBranch
	}
	return ref
}

func (r Route) renderParameters(target *deployment.Target, data templateData) (problem string) {
	for _, p := range r.parameters {
		if p.usesKey {
			target.KeyParameters = append(target.KeyParameters, p.name)
		}

		value, broken := p.render(data)
		if broken != "" {
			return broken
		}
		if value != nil {
			target.Parameters = append(target.Parameters, deployment.Parameter{Name: p.name, Value: value})
		}
	}

	return ""
}

// forceKey is the key of the payload that forces a deployment. Its value is the reason.
const forceKey = "seraph_force"

// maxForceReason is how long a reason may be, in code points.
const maxForceReason = 200

// forceReason reads why a deployment is forced; empty if it is not. Without a reason it cannot be.
func forceReason(payload jsonObject) (reason, problem string) {
	value := payload[forceKey]
	if value == nil {
		return "", ""
	}

	text, _ := value.(string)
	reason = strings.TrimSpace(text)
	visible := func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }
	switch {
	case !strings.ContainsFunc(reason, visible):
		return "", "seraph_force needs a reason, as text"
	case utf8.RuneCountInString(reason) > maxForceReason:
		return "", "seraph_force needs a reason of at most 200 characters"
	}

	return reason, ""
}
