package server

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestClientAddr(t *testing.T) {
	trusted := prefixes("10.0.0.0/8", "2001:db8:1::/48")

	for _, test := range []struct {
		name      string
		peer      string
		forwarded []string // X-Forwarded-For, one header each
		want      string   // empty: unknown
	}{
		{"direct", "192.0.2.1:1", nil, "192.0.2.1"},
		{"direct, with a false header", "192.0.2.1:1", []string{"198.51.100.1"}, "192.0.2.1"},
		{"proxy", "10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"proxy, with a false header", "10.0.0.1:1", []string{"192.30.252.1, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.0.0.1:1", []string{"198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		{"two headers", "10.0.0.1:1", []string{"192.30.252.1", "198.51.100.1,10.0.0.2"}, "198.51.100.1"},
		{"proxy without a header", "10.0.0.1:1", nil, "10.0.0.1"},
		{"all trusted", "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"unreadable", "10.0.0.1:1", []string{"198.51.100.1, unknown"}, ""},
		{"unreadable, left of the client", "10.0.0.1:1", []string{"unknown, 198.51.100.1"}, "198.51.100.1"},
		{"nothing between commas", "10.0.0.1:1", []string{"198.51.100.1,,10.0.0.2"}, ""},
		{"with port", "10.0.0.1:1", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"IPv6 with port", "[2001:db8:1::1]:1", []string{"[2001:db8::9]:4711"}, "2001:db8::9"},
		{"IPv6 in brackets", "10.0.0.1:1", []string{"[2001:db8::9]"}, "2001:db8::9"},
		{
			"IPv4 in IPv6 is the same proxy",
			"[::ffff:10.0.0.1]:1",
			[]string{"198.51.100.1, ::ffff:10.0.0.2"},
			"198.51.100.1",
		},
		{"a zone is the same proxy", "10.0.0.1:1", []string{"198.51.100.1, 2001:db8:1::2%eth0"}, "198.51.100.1"},
		{"unreadable peer", "@", []string{"198.51.100.1"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			r.RemoteAddr = test.peer
			r.Header = http.Header{"X-Forwarded-For": test.forwarded}

			want, _ := netip.ParseAddr(test.want)
			if got := clientAddr(r, trusted); got != want {
				t.Errorf("got %s, want %q", got, test.want)
			}
		})
	}
}

func TestGitHub_SourceBehindProxy(t *testing.T) {
	trust := func(o *Options) { o.TrustedProxies = prefixes("127.0.0.0/8", "::1/128") }
	s := newTestServer(t, sources("192.30.252.0/22"), trust)

	for _, test := range []struct {
		name      string
		forwarded string
		code      int
	}{
		{"GitHub", "192.30.252.9", 202},
		{"another client that names GitHub", "192.30.252.9, 6.6.6.6", 403},
		{"no header", "-", 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.deliver(t, deploymentEvent(42, "production"), "X-Forwarded-For", test.forwarded)
			if got.code != test.code {
				t.Errorf("got %d %s, want %d", got.code, got.body, test.code)
			}
		})
	}
}

// The address that the trusted proxy saw stands at the right: nothing that the client writes left of
// it can change the result.
func FuzzClientAddr(f *testing.F) {
	for _, s := range []string{"", ",", "198.51.100.1, 10.0.0.2", "[::1]:80", "fe80::1%eth0", "10.0.0.1,,x"} {
		f.Add(s)
	}

	trusted := prefixes("10.0.0.0/8")
	f.Fuzz(func(t *testing.T, forwarded string) {
		header := http.Header{"X-Forwarded-For": {forwarded + ", 198.51.100.7"}}
		r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: header}
		if got, want := clientAddr(r, trusted), netip.MustParseAddr("198.51.100.7"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}

		r.Header.Set("X-Forwarded-For", forwarded)
		clientAddr(r, trusted)
	})
}
