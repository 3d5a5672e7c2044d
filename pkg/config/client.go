package config

import (
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Client is what the command line needs to ask a running service.
type Client struct {
	URL      *url.URL
	Token    Secret
	Warnings []string
}

// ClientDefaults stand in for SERAPH_API_URL and SERAPH_API_TOKEN where they are not set.
type ClientDefaults struct {
	URL       string // empty: the default of SERAPH_API_URL
	Token     Secret // sent to URL only
	AllowHTTP bool   // somebody knows that the token crosses a network unencrypted: no warning
	Preferred bool   // somebody asked for them by name: they win over the environment
}

// LoadClient reads only what the command line needs from the environment, and takes from defaults what
// is missing there. The token of defaults is never sent to another address than theirs. The error is
// Problems, or nil.
func LoadClient(defaults ClientDefaults) (*Client, error) {
	r := &reader{}
	if err := r.readEnvironment(); err != nil {
		return nil, err
	}

	r.keepProblems("API_URL", "API_TOKEN")
	unread := len(r.problems) > 0 // such as the file of the token
	address, token := strings.TrimSpace(r.env.APIURL), r.env.APIToken
	if defaults.wins() {
		address = defaults.URL
	}
	if defaults.URL != "" && (defaults.Preferred || token == "" && address == defaults.URL) {
		token = defaults.Token.Reveal()
	}

	c := &Client{URL: r.apiURL("API_URL", address), Token: r.clientToken(token)}
	if token == "" && !unread {
		r.problem("API_TOKEN", "required: one of the tokens in SERAPH_API_TOKENS of the service, set as this variable "+
			"or kept in a context (seraph config set-context --help)")
	}
	if len(r.problems) > 0 {
		return nil, r.problems
	}

	if !defaults.AllowHTTP || address != defaults.URL {
		c.Warnings = r.warnings
	}
	return c, nil
}

// LoadAPIURL reads only SERAPH_API_URL, or takes defaults, for a question that needs no token. The
// error is Problems, or nil.
func LoadAPIURL(defaults ClientDefaults) (*url.URL, error) {
	r := &reader{}
	if err := r.readEnvironment(); err != nil {
		return nil, err
	}

	r.keepProblems("API_URL")
	address := strings.TrimSpace(r.env.APIURL)
	if defaults.wins() {
		address = defaults.URL
	}

	u := r.url("API_URL", address)
	if len(r.problems) > 0 {
		return nil, r.problems
	}

	return u, nil
}

// wins says whether the address of defaults is used, and not that of the environment.
func (d ClientDefaults) wins() bool {
	return d.URL != "" && (d.Preferred || strings.TrimSpace(os.Getenv(Prefix+"API_URL")) == "")
}

// CheckAPIURL refuses what cannot be the address of a service and, without allowHTTP, an address to
// which a token would cross a network unencrypted.
func CheckAPIURL(text string, allowHTTP bool) error {
	r := &reader{}
	u := r.apiURL("API_URL", text)
	if len(r.problems) > 0 {
		return Problems{strings.TrimPrefix(r.problems[0], Prefix+"API_URL: ")}
	}
	if u == nil {
		return Problems{"empty: write https://HOST"}
	}
	if len(r.warnings) > 0 && !allowHTTP {
		return Problems{"the token would be sent unencrypted over http: write https, or give --allow-http"}
	}
	return nil
}

// CheckAPIToken refuses what cannot be a token of the API.
func CheckAPIToken(text string) error {
	r := &reader{}
	r.clientToken(text)
	if len(r.problems) > 0 {
		return Problems{strings.TrimPrefix(r.problems[0], Prefix+"API_TOKEN: ")}
	}
	return nil
}

// wholeElement is an element of SERAPH_API_TOKENS that is not only a token.
var wholeElement = regexp.MustCompile(`^[A-Za-z0-9._-]+:(read|deploy|behalf(=[^:]+)?|admin):`)

// clientToken reads the token with which the command line asks a service.
func (r *reader) clientToken(text string) Secret {
	text = strings.TrimSpace(text)
	switch {
	case len(text) > 1 && text[0] == text[len(text)-1] && strings.ContainsAny(text[:1], "\"'`"):
		r.problem("API_TOKEN", "stands in quotes, which would be part of it: leave them out")
	case wholeElement.MatchString(text):
		r.problem("API_TOKEN", "has a name and a scope before it: leave out NAME:SCOPE: of SERAPH_API_TOKENS")
	default:
		return r.token("API_TOKEN", text)
	}
	return ""
}

// keepProblems forgets the problems of all other variables, which are not used here, and of their _FILE forms.
func (r *reader) keepProblems(names ...string) {
	r.problems = slices.DeleteFunc(r.problems, func(problem string) bool {
		name, _, _ := strings.Cut(strings.TrimPrefix(problem, Prefix), ":")
		return !slices.Contains(names, strings.TrimSuffix(name, "_FILE"))
	})
}
