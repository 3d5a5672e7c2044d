package config

import (
	"net/url"

	"github.com/kelseyhightower/envconfig"
)

// Client is what the command line needs to ask a running service.
type Client struct {
	URL   *url.URL
	Token Secret
}

// LoadClient reads only what the command line needs from the environment. The error is Problems, or
// nil.
func LoadClient() (*Client, error) {
	r := &reader{}
	if err := envconfig.Process("", &r.env); err != nil {
		return nil, Problems{"the environment cannot be read"} // as in Load
	}

	r.files()
	c := &Client{URL: r.url("API_URL", r.env.APIURL), Token: r.token("API_TOKEN", r.env.APIToken)}
	if c.Token == "" {
		r.wrong("API_TOKEN", "it is required: a token that SERAPH_API_TOKENS of the service names")
	}
	if len(r.problems) > 0 {
		return nil, r.problems
	}

	return c, nil
}

// LoadAPIURL reads only SERAPH_API_URL, for a question that needs no token. The error is Problems,
// or nil.
func LoadAPIURL() (*url.URL, error) {
	r := &reader{}
	if err := envconfig.Process("", &r.env); err != nil {
		return nil, Problems{"the environment cannot be read"} // as in Load
	}

	r.files()
	r.problems = nil // of variables that are not used here
	u := r.url("API_URL", r.env.APIURL)
	if len(r.problems) > 0 {
		return nil, r.problems
	}

	return u, nil
}
