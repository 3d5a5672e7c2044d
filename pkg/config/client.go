package config

import "net/url"

// Client is what the command line needs to ask a running service.
type Client struct {
	URL      *url.URL
	Token    Secret
	Warnings []string
}

// LoadClient reads only what the command line needs from the environment. The error is Problems, or
// nil.
func LoadClient() (*Client, error) {
	r := &reader{}
	if err := r.readEnvironment(); err != nil {
		return nil, err
	}

	c := &Client{
		URL:   r.apiURL("API_URL", r.env.APIURL),
		Token: r.token("API_TOKEN", r.env.APIToken),
	}

	if r.env.APIToken == "" {
		r.problem("API_TOKEN", "required: one of the tokens in SERAPH_API_TOKENS of the service")
	}
	if len(r.problems) > 0 {
		return nil, r.problems
	}

	c.Warnings = r.warnings
	return c, nil
}

// LoadAPIURL reads only SERAPH_API_URL, for a question that needs no token. The error is Problems, or
// nil.
func LoadAPIURL() (*url.URL, error) {
	r := &reader{}
	if err := r.readEnvironment(); err != nil {
		return nil, err
	}

	r.problems = nil // they are about variables that are not used here
	u := r.url("API_URL", r.env.APIURL)
	if len(r.problems) > 0 {
		return nil, r.problems
	}

	return u, nil
}
