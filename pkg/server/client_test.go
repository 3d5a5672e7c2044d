package server

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestClientAddress(t *testing.T) {
	trusted := prefixes("10.0.0.0/8", "2001:db8:1::/48")
	cases := map[string]struct {
		peer string
		xff  []string
		want string // empty: unknown
	}{
		"direct":             {"192.0.2.1:1", nil, "192.0.2.1"},
		"direct, lies":       {"192.0.2.1:1", []string{"198.51.100.1"}, "192.0.2.1"},
		"proxy":              {"10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		"proxy, client lies": {"10.0.0.1:1", []string{"192.30.252.1, 198.51.100.1"}, "198.51.100.1"},
		"two proxies":        {"10.0.0.1:1", []string{"198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		"two headers": {
			"10.0.0.1:1",
			[]string{"192.30.252.1", "198.51.100.1,10.0.0.2"},
			"198.51.100.1",
		},
		"proxy says nothing":         {"10.0.0.1:1", nil, "10.0.0.1"},
		"all trusted":                {"10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"garbage":                    {"10.0.0.1:1", []string{"198.51.100.1, unknown"}, ""},
		"garbage left of the client": {"10.0.0.1:1", []string{"unknown, 198.51.100.1"}, "198.51.100.1"},
		"nothing between the commas": {"10.0.0.1:1", []string{"198.51.100.1,,10.0.0.2"}, ""},
		"with port":                  {"10.0.0.1:1", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		"IPv6 with port":             {"[2001:db8:1::1]:1", []string{"[2001:db8::9]:4711"}, "2001:db8::9"},
		"IPv6 in brackets":           {"10.0.0.1:1", []string{"[2001:db8::9]"}, "2001:db8::9"},
		"IPv4 in IPv6 is no way out": {
			"[::ffff:10.0.0.1]:1",
			[]string{"198.51.100.1, ::ffff:10.0.0.2"},
			"198.51.100.1",
		},
		"a zone is no way out either": {"10.0.0.1:1", []string{"198.51.100.1, 2001:db8:1::2%eth0"}, "198.51.100.1"},
		"peer that cannot be read":    {"@", []string{"198.51.100.1"}, ""},
	}

	for name, c := range cases {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.RemoteAddr, r.Header = c.peer, http.Header{"X-Forwarded-For": c.xff}
		want, _ := netip.ParseAddr(c.want)
		if got := clientAddr(r, trusted); got != want {
			t.Errorf("%s: got %s, want %q", name, got, c.want)
		}
	}
}

func TestSourceBehindProxy(t *testing.T) {
	b := newBench(
		t,
		sources("192.30.252.0/22"),
		func(o *Options) { o.TrustedProxies = prefixes("127.0.0.0/8", "::1/128") },
	)

	for from, want := range map[string]int{"192.30.252.9": 202, "192.30.252.9, 6.6.6.6": 403, "-": 403} {
		if got := b.deliver(t, event(42, "production"), "X-Forwarded-For", from); got.code != want {
			t.Errorf("%s: got %d %s, want %d", from, got.code, got.body, want)
		}
	}
}

func FuzzClientAddress(f *testing.F) {
	for _, s := range []string{"", ",", "198.51.100.1, 10.0.0.2", "[::1]:80", "fe80::1%eth0", "10.0.0.1,,x"} {
		f.Add(s)
	}

	trusted := prefixes("10.0.0.0/8")
	f.Fuzz(func(t *testing.T, xff string) {
		// What the trusted proxy saw stands at the right: nothing that the client says can change
		// it.
		r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {xff + ", 198.51.100.7"}}}
		if got := clientAddr(r, trusted); got != netip.MustParseAddr("198.51.100.7") {
			t.Errorf("got %s", got)
		}

		r.Header.Set("X-Forwarded-For", xff)
		clientAddr(r, trusted)
	})
}
