package shapes

import (
	"encoding/json"
	"fmt"
	"strings"
)

// paths are the API paths that Seraph's GitHub client uses. When one is added, raise the number in
// descriptionFile.
var paths = []string{
	"/app",
	"/app/hook/deliveries",
	"/app/hook/deliveries/{delivery_id}",
	"/app/hook/deliveries/{delivery_id}/attempts",
	"/app/installations/{installation_id}/access_tokens",
	"/applications/{client_id}/token",
	"/meta",
	"/orgs/{org}/hooks",
	"/orgs/{org}/teams/{team_slug}",
	"/orgs/{org}/teams/{team_slug}/memberships/{username}",
	"/repos/{owner}/{repo}",
	"/repos/{owner}/{repo}/actions/runs",
	"/repos/{owner}/{repo}/branches/{branch}",
	"/repos/{owner}/{repo}/collaborators/{username}/permission",
	"/repos/{owner}/{repo}/commits/{ref}",
	"/repos/{owner}/{repo}/commits/{ref}/check-runs",
	"/repos/{owner}/{repo}/commits/{ref}/status",
	"/repos/{owner}/{repo}/commits/{ref}/statuses",
	"/repos/{owner}/{repo}/compare/{basehead}",
	"/repos/{owner}/{repo}/deployments",
	"/repos/{owner}/{repo}/deployments/{deployment_id}",
	"/repos/{owner}/{repo}/deployments/{deployment_id}/statuses",
	"/repos/{owner}/{repo}/deployments/{deployment_id}/statuses/{status_id}",
	"/repos/{owner}/{repo}/git/matching-refs/{ref}",
	"/repos/{owner}/{repo}/git/ref/{ref}",
	"/repos/{owner}/{repo}/git/tags/{tag_sha}",
	"/repos/{owner}/{repo}/hooks",
	"/repos/{owner}/{repo}/hooks/{hook_id}/deliveries",
	"/repos/{owner}/{repo}/hooks/{hook_id}/deliveries/{delivery_id}",
	"/repos/{owner}/{repo}/hooks/{hook_id}/deliveries/{delivery_id}/attempts",
	"/repos/{owner}/{repo}/installation",
	"/repos/{owner}/{repo}/rules/branches/{branch}",
	"/user",
	"/user/{account_id}",
	"/users/{username}",
}

// webhookSchemas are the schemas of the webhook payloads, by event.
var webhookSchemas = map[string]string{
	"deployment":        "webhook-deployment-created",
	"deployment_status": "webhook-deployment-status-created",
}

// object is a JSON object.
type object = map[string]any

// subset reduces GitHub's whole description to paths, webhookSchemas and the components they refer
// to. Parsing all of its 13 MB into kin-openapi would take many seconds.
func subset(whole []byte) ([]byte, error) {
	var doc object
	if err := json.Unmarshal(whole, &doc); err != nil {
		return nil, err
	}

	reduced := object{"openapi": doc["openapi"], "info": doc["info"], "components": object{}}
	kept := object{}
	for _, path := range paths {
		item, ok := doc["paths"].(object)[path]
		if !ok {
			return nil, fmt.Errorf("GitHub's OpenAPI description has no %s", path)
		}

		kept[path] = item
	}

	reduced["paths"] = kept
	c := componentCopier{from: doc, to: reduced}
	for _, schema := range webhookSchemas {
		c.keep("#/components/schemas/" + schema)
	}

	c.walk(kept)
	return json.Marshal(reduced)
}

// componentCopier copies components as it finds references to them.
type componentCopier struct{ from, to object }

// walk copies every component that v refers to.
func (c componentCopier) walk(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			c.walk(item)
		}
	case object:
		delete(v, "examples") // most of the size, and not needed for validation
		if ref, ok := v["$ref"].(string); ok {
			c.keep(ref)
			return
		}

		for _, item := range v {
			c.walk(item)
		}
	}
}

// keep copies the component that a reference such as #/components/schemas/deployment names.
func (c componentCopier) keep(ref string) {
	parts := strings.Split(strings.TrimPrefix(ref, "#/components/"), "/")
	if len(parts) != 2 {
		return
	}

	kind, name := parts[0], parts[1]
	section, ok := c.to["components"].(object)[kind].(object)
	if !ok {
		section = object{}
		c.to["components"].(object)[kind] = section
	}
	if _, done := section[name]; done {
		return
	}

	section[name] = c.from["components"].(object)[kind].(object)[name]
	c.walk(section[name])
}
