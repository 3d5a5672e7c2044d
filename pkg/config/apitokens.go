package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// minToken is how long an API token must be. It is ASCII, so bytes and characters are the same.
const minToken = 32

var scopes = []string{"read", "deploy", "behalf", "admin"}

// What the name of a chat system and the id of a workspace can be.
var (
	chatFace      = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)
	chatWorkspace = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
)

// apiTokens reads NAME:SCOPE:TOKEN, or a bare TOKEN, which may only read. The scope behalf=FACE/WORKSPACE is
// behalf, bound to the people of one chat.
//
// A name is an identity: locks belong to it, approvals count by it, and the audit shows it. So no two
// tokens may have one name, in any case. Nor may one token stand for two names, because then the last one
// would decide what the first one may do.
func (r *reader) apiTokens() []APIToken {
	const name = "API_TOKENS"
	var list []APIToken
	for i, text := range r.list(name, r.env.APITokens) {
		if text == "" {
			continue // a problem already
		}

		t, err := parseAPIToken(i+1, text)
		if err != nil {
			r.problem(name, "element %d: %v", i+1, err)
		}

		for j, other := range list {
			switch {
			case other.Hash == t.Hash:
				r.problem(name, "element %d has the same token as element %d: create one for each name", i+1, j+1)
			case strings.EqualFold(other.Name, t.Name):
				r.problem(name,
					"element %d has the same name as element %d (%s): give each its own, as NAME:SCOPE:TOKEN",
					i+1, j+1, t.Name)
			}
		}

		list = append(list, t)
	}

	return list
}

// parseAPIToken reads the element at a position of the list. A bare token is called by its position.
func parseAPIToken(position int, text string) (APIToken, error) {
	name, scope, secret := "token-"+strconv.Itoa(position), "read", text
	parts := strings.SplitN(text, ":", 3)
	if len(parts) == 3 {
		name, scope, secret = parts[0], parts[1], parts[2]
	}

	t := APIToken{Name: name, Hash: sha256.Sum256([]byte(secret))}
	var chat string
	var bound bool
	t.Scope, chat, bound = strings.Cut(scope, "=")
	t.Face, t.Workspace, _ = strings.Cut(chat, "/")
	switch {
	case len(parts) == 2:
		return t, errors.New("one or three parts are needed: write NAME:SCOPE:TOKEN or TOKEN")
	case !simpleName.MatchString(name):
		return t, errors.New("the name is not usable: write letters, digits, '.', '_' and '-', at most 64")
	case bound && t.Scope != "behalf":
		return t, errors.New("only the scope behalf can be bound to a chat: write behalf=FACE/WORKSPACE")
	case bound && (!chatFace.MatchString(t.Face) || !chatWorkspace.MatchString(t.Workspace)):
		return t, errors.New("the chat is not usable: write behalf=FACE/WORKSPACE, " +
			"such as behalf=hubot-slack/T0ACME001")
	case !slices.Contains(scopes, t.Scope):
		return t, fmt.Errorf("the scope is unknown: write one of %s", strings.Join(scopes, ", "))
	case strings.ContainsFunc(secret, isNotInToken):
		return t, errors.New("the token contains a space or a character that no header takes: use openssl rand -hex 32")
	case len(secret) < minToken:
		return t, fmt.Errorf("the token has %d characters, at least %d are needed: use openssl rand -hex 32",
			len(secret), minToken)
	default:
		return t, nil
	}
}
