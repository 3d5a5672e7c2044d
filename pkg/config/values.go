package config

import (
	"crypto/rsa"
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
	"unicode"
)

// minSecret is how long a webhook secret must be, in bytes.
const minSecret = 16

func (r *reader) addr(name, text string) string {
	if text == "" {
		return ""
	}

	_, port, err := net.SplitHostPort(text)
	if n, portErr := strconv.Atoi(port); err != nil || portErr != nil || n < 0 || n > 65535 {
		r.problem(name, "%q is not a listen address: write HOST:PORT, such as :8080 or 127.0.0.1:8080", text)
	}

	return text
}

// url reads an absolute http or https URL. A problem shows nothing of the value, because people put
// credentials into URLs.
func (r *reader) url(name, text string) *url.URL {
	if text == "" {
		return nil
	}

	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		r.problem(name, "not an absolute URL: write https://HOST or http://HOST")
	case u.User != nil:
		r.problem(name, "contains a user name or a password: leave them out")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		r.problem(name, "contains a query or a fragment: leave out everything from ? or # on")
	default:
		return u
	}

	return nil
}

// apiURL reads the URL of an API to which a token is sent. It warns where the token would cross a
// network in clear.
func (r *reader) apiURL(name, text string) *url.URL {
	u := r.url(name, text)
	if u != nil && u.Scheme == "http" && !isLoopback(u.Hostname()) {
		r.warnings = append(r.warnings, Prefix+name+": the token is sent unencrypted over http: use https")
	}
	return u
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// database reads a database URL. It refuses what names no file in which data could be kept: SQLite
// would take such names for databases in memory, which are empty after a restart, or for URLs.
func (r *reader) database(text string) Secret {
	const name = "DATABASE_URL"
	path, sqlite := strings.CutPrefix(text, "sqlite:")
	if !sqlite {
		if !strings.HasPrefix(text, "postgres://") && !strings.HasPrefix(text, "postgresql://") {
			r.problem(name, "not a database URL: write sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME")
		}
		return Secret(text)
	}

	lower := strings.ToLower(path)
	inURL := strings.HasPrefix(path, "//") && !strings.HasPrefix(path, "///")
	switch {
	case strings.TrimSpace(path) == "":
		r.problem(name, "names no file: write sqlite:PATH, such as sqlite:seraph.db")
	case strings.Contains(lower, ":memory:") || strings.Contains(lower, "mode=memory"):
		r.problem(name, "a database in memory loses everything at a restart: write sqlite:PATH with the path of a file")
	case strings.HasPrefix(lower, "file:") || inURL || strings.Contains(path, "?"):
		r.problem(name, "the part after sqlite: must be a plain path, not a URL and without options: write sqlite:PATH")
	case strings.HasSuffix(path, "/"):
		r.problem(name, "names a folder: write sqlite:PATH with the path of a file")
	case path != strings.TrimSpace(path) || strings.ContainsFunc(path, unicode.IsControl):
		r.problem(name, "the path contains a control character, or a space at an end: write sqlite:PATH without it")
	}

	return Secret(text)
}

// duration reads a duration that may be 0.
func (r *reader) duration(name, text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		r.problem(name, "%q is not a duration: write 0, or a time such as 15s, 2m or 1h30m", text)
		return 0
	}
	return d
}

func (r *reader) positiveDuration(name, text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		r.problem(name, "%q is not a positive duration: write a time such as 15s, 2m or 1h30m", text)
		return 0
	}
	return d
}

// minRetention is for how long GitHub may deliver an event again. A deployment that is forgotten
// sooner could be accepted a second time.
const minRetention = 3 * 24 * time.Hour

func (r *reader) retention() time.Duration {
	text := r.env.Retention
	d := r.duration("RETENTION", text)
	if d > 0 && d < minRetention {
		r.problem(
			"RETENTION",
			"%q is too short: write at least %.0fh, or 0 to keep everything",
			text,
			minRetention.Hours(),
		)
	}
	return d
}

func (r *reader) count(name, text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1_000_000 {
		r.problem(name, "%q is not a number from 0 to 1000000: write such a number, 0 for no limit", text)
	}
	return n
}

func (r *reader) oneOf(name, text string, allowed ...string) string {
	text = strings.ToLower(text)
	if !slices.Contains(allowed, text) {
		r.problem(name, "%q is unknown: write one of %s", text, strings.Join(allowed, ", "))
	}
	return text
}

// list splits at commas. An empty element is a problem.
func (r *reader) list(name, text string) []string {
	if strings.TrimSpace(text) == "" {
		return nil
	}

	parts := strings.Split(text, ",")
	for i, p := range parts {
		parts[i] = strings.TrimSpace(p)
		if parts[i] == "" {
			r.problem(name, "element %d of the list is empty: take one comma out", i+1)
		}
	}

	return parts
}

func (r *reader) prefixes(name, text string) []netip.Prefix {
	var list []netip.Prefix
	for i, p := range r.list(name, text) {
		prefix, ok := parsePrefix(p)
		if !ok {
			r.problem(name, "element %d is not an address range: write one such as 10.0.0.0/8 or 2001:db8::/32", i+1)
			continue
		}

		list = append(list, prefix)
	}

	return list
}

// parsePrefix reads an address range, or a single address.
func parsePrefix(text string) (prefix netip.Prefix, ok bool) {
	if strings.Contains(text, "/") {
		prefix, err := netip.ParsePrefix(text)
		return prefix.Masked(), err == nil
	}

	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return prefix, false
	}

	return netip.PrefixFrom(addr, addr.BitLen()), true
}

func (r *reader) secrets(name, text string) Secrets {
	var list Secrets
	for i, s := range r.list(name, text) {
		switch {
		case s != "" && len(s) < minSecret:
			r.problem(name, "element %d has %d bytes, at least %d are needed: create one with openssl rand -hex 32",
				i+1, len(s), minSecret)
		case strings.ContainsFunc(s, unicode.IsControl):
			r.problem(name, "element %d %v", i+1, errInvisible)
		}

		list = append(list, Secret(s))
	}

	return list
}

// token reads a token that is sent in a header.
func (r *reader) token(name, text string) Secret {
	text = strings.TrimSpace(text)
	if strings.ContainsFunc(text, isNotInToken) {
		r.problem(name, "contains a space or a character that no token has: write one whole token, and nothing else")
	}
	return Secret(text)
}

// isNotInToken says whether a rune cannot be part of a token. All that people create are visible
// ASCII, and in a header nothing else arrives safely.
func isNotInToken(c rune) bool { return c <= ' ' || c > '~' }

func (r *reader) appID(text string) int64 {
	if text == "" {
		return 0
	}

	id, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || id <= 0 {
		r.problem("GITHUB_APP_ID", "not a positive number: write the App's numeric id, not its client id")
	}

	return id
}

func (r *reader) hookSources(api *url.URL) HookSources {
	switch text := strings.TrimSpace(r.env.GitHubHookSources); text {
	case "any":
		return HookSources{Mode: SourcesAny}
	case "meta":
		if api != nil && api.Host != "api.github.com" {
			r.problem("GITHUB_HOOK_SOURCES",
				"meta is known for github.com only: with another SERAPH_GITHUB_API_URL list the address ranges")
		}
		return HookSources{Mode: SourcesMeta}
	default:
		return HookSources{Mode: SourcesList, Prefixes: r.prefixes("GITHUB_HOOK_SOURCES", text)}
	}
}

var errKey = errors.New("not an RSA private key: write the PEM file that GitHub gave you, or base64 of it")

func (r *reader) privateKey(text string) PrivateKey {
	if text == "" {
		return PrivateKey{}
	}

	key, err := parseKey(text)
	if err != nil {
		r.problem("GITHUB_APP_PRIVATE_KEY", "%v", err)
	}

	return PrivateKey{key}
}

// parseKey reads an RSA private key in PEM (PKCS#1 or PKCS#8) with real or \n new lines, or base64 of
// it.
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

	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		return parsePKCS8(block.Bytes)
	}

	return key, nil
}

func parsePKCS8(der []byte) (*rsa.PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errKey
	}

	key, isRSA := parsed.(*rsa.PrivateKey)
	if !isRSA {
		return nil, errKey
	}

	return key, nil
}

// taskPrefix reads how the tasks begin that deploy, lock and unlock.
func (r *reader) taskPrefix() string {
	if !simpleName.MatchString(r.env.TaskPrefix) {
		r.problem("TASK_PREFIX",
			"%q is not a name: write letters, digits, '.', '_' and '-', at most 64", r.env.TaskPrefix)
	}
	return r.env.TaskPrefix
}

var simpleName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
