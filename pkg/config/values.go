package config

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The least that a secret and a token must have, in bytes.
const (
	minSecret = 16
	minToken  = 32
)

func (r *reader) addr(name, text string) string {
	if text == "" {
		return ""
	}
	_, port, err := net.SplitHostPort(text)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		r.wrong(name, "%q is no listen address, such as :8080 or 127.0.0.1:8080", text)
	}
	return text
}

// url reads an absolute http or https URL. Nothing of the value is shown, because people put
// credentials into URLs.
func (r *reader) url(name, text string) *url.URL {
	if text == "" {
		return nil
	}

	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		r.wrong(name, "it is no absolute http or https URL")
	case u.User != nil:
		r.wrong(name, "it must carry no user info")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		r.wrong(name, "it must carry no query and no fragment")
	default:
		return u
	}

	return nil
}

func (r *reader) database(text string) Secret {
	path, sqlite := strings.CutPrefix(text, "sqlite:")
	postgres := strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://")
	if sqlite && path == "" || !sqlite && !postgres {
		r.wrong("DATABASE_URL", "it must be sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME")
	}
	return Secret(text)
}

func (r *reader) duration(name, text string, zero bool) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d == 0 && !zero {
		r.wrong(name, "%q is no positive duration, such as 15s, 2m or 1h30m", text)
		return 0
	}
	return d
}

// minRetention is how long GitHub delivers an event again. What is forgotten sooner may be asked
// for anew, or taken for another's pipeline.
const minRetention = 3 * 24 * time.Hour

func (r *reader) retention() time.Duration {
	d := r.duration("RETENTION", r.env.Retention, true)
	if d > 0 && d < minRetention {
		r.wrong(
			"RETENTION",
			"%q is too short: at least %.0fh are needed, or 0 to keep everything",
			r.env.Retention,
			minRetention.Hours(),
		)
	}
	return d
}

func (r *reader) count(name, text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1_000_000 {
		r.wrong(name, "%q is no number from 0 (none) to 1000000", text)
	}
	return n
}

func (r *reader) oneOf(name, text string, allowed ...string) string {
	text = strings.ToLower(text)
	if !slices.Contains(allowed, text) {
		r.wrong(name, "%q must be one of %s", text, strings.Join(allowed, ", "))
	}
	return text
}

// list splits at commas; empty elements are an error.
func (r *reader) list(name, text string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}

	parts := strings.Split(text, ",")
	for i, p := range parts {
		parts[i] = strings.TrimSpace(p)
		if parts[i] == "" {
			r.wrong(name, "element %d of the list is empty", i+1)
		}
	}

	return parts
}

func (r *reader) prefixes(name, text string) []netip.Prefix {
	var list []netip.Prefix
	for i, p := range r.list(name, text) {
		prefix, err := netip.ParsePrefix(p)
		if addr, aerr := netip.ParseAddr(p); err != nil && aerr == nil {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			r.wrong(name, "element %d is no address range, such as 10.0.0.0/8 or 2001:db8::/32", i+1)
			continue
		}

		list = append(list, prefix.Masked())
	}

	return list
}

func (r *reader) secrets(name, text string) Secrets {
	var list Secrets
	for i, s := range r.list(name, text) {
		if s != "" && len(s) < minSecret {
			r.wrong(
				name,
				"element %d has %d bytes, at least %d are needed (openssl rand -hex 32)",
				i+1,
				len(s),
				minSecret,
			)
		}
		list = append(list, Secret(s))
	}
	return list
}

// token refuses what would break out of a header.
func (r *reader) token(name, text string) Secret {
	text = strings.TrimSpace(text)
	if strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }) {
		r.wrong(name, "it holds a space or a character that no token has; is it cut off, or two of them?")
	}
	return Secret(text)
}

func (r *reader) appID(text string) int64 {
	if text == "" {
		return 0
	}
	id, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || id <= 0 {
		r.wrong("GITHUB_APP_ID", "it must be the App's numeric id (not its client id)")
	}
	return id
}

func (r *reader) hookSources(api *url.URL) HookSources {
	switch text := strings.TrimSpace(r.env.GitHubHookSources); text {
	case "any":
		return HookSources{Mode: SourcesAny}
	case "meta":
		if api != nil && api.Host != "api.github.com" {
			r.wrong(
				"GITHUB_HOOK_SOURCES",
				"meta is known for github.com only: with another SERAPH_GITHUB_API_URL list the ranges",
			)
		}

		return HookSources{Mode: SourcesMeta}
	default:
		return HookSources{Mode: SourcesList, Prefixes: r.prefixes("GITHUB_HOOK_SOURCES", text)}
	}
}

var errKey = errors.New("it is no RSA private key in PEM (PKCS#1 or PKCS#8), nor base64 of one")

func (r *reader) privateKey(text string) PrivateKey {
	if text == "" {
		return PrivateKey{}
	}
	key, err := parseKey(text)
	if err != nil {
		r.wrong("GITHUB_APP_PRIVATE_KEY", "%v", err)
	}
	return PrivateKey{key}
}

// parseKey takes PEM with real or \n new lines, or base64 of it.
func parseKey(text string) (*rsa.PrivateKey, error) {
	text = strings.ReplaceAll(strings.TrimSpace(text), `\n`, "\n")
	if !strings.Contains(text, "-----BEGIN") {
		decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			return nil, errKey
		}

		text = string(decoded)
	}

	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errKey
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}

	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if key, ok := any.(*rsa.PrivateKey); err == nil && ok {
		return key, nil
	}

	return nil, errKey
}

// taskPrefix reads what the tasks begin with.
func (r *reader) taskPrefix() string {
	if !tokenName.MatchString(r.env.TaskPrefix) {
		r.wrong("TASK_PREFIX", "%q must be letters, digits, '.', '_' and '-'", r.env.TaskPrefix)
	}
	return r.env.TaskPrefix
}

var tokenName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// apiTokens reads NAME:SCOPE:TOKEN, or a bare TOKEN, which may only read.
func (r *reader) apiTokens() []APIToken {
	const name = "API_TOKENS"
	var list []APIToken
	for i, text := range r.list(name, r.env.APITokens) {
		t := APIToken{Name: "token-" + strconv.Itoa(i+1), Scope: "read"}
		secret := text
		if parts := strings.SplitN(text, ":", 3); len(parts) == 3 {
			t.Name, t.Scope, secret = parts[0], parts[1], parts[2]
		} else if len(parts) == 2 {
			r.wrong(name, "element %d must be NAME:SCOPE:TOKEN or TOKEN", i+1)
			continue
		}

		switch {
		case !tokenName.MatchString(t.Name):
			r.wrong(name, "element %d: the name must be letters, digits, '.', '_' and '-'", i+1)
		case !slices.Contains([]string{"read", "deploy", "behalf", "admin"}, t.Scope):
			r.wrong(name, "element %d: the scope must be read, deploy, behalf or admin", i+1)
		case text != "" && len(secret) < minToken:
			r.wrong(name, "element %d: the token has %d characters, at least %d are needed", i+1, len(secret), minToken)
		}

		t.Hash = sha256.Sum256([]byte(secret))
		list = append(list, t)
	}

	return list
}
