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
		{name: "direct", peer: "192.0.2.1:1", want: "192.0.2.1"},
		{
			name:      "direct, with a false header",
			peer:      "192.0.2.1:1",
			forwarded: []string{"198.51.100.1"},
			want:      "192.0.2.1",
		},
		{name: "proxy", peer: "10.0.0.1:1", forwarded: []string{"198.51.100.1"}, want: "198.51.100.1"},
		{
			name:      "proxy, with a false header",
			peer:      "10.0.0.1:1",
			forwarded: []string{"192.30.252.1, 198.51.100.1"},
			want:      "198.51.100.1",
		},
		{
			name:      "two proxies",
			peer:      "10.0.0.1:1",
			forwarded: []string{"198.51.100.1, 10.0.0.2"},
			want:      "198.51.100.1",
		},
		{
			name:      "two headers",
			peer:      "10.0.0.1:1",
			forwarded: []string{"192.30.252.1", "198.51.100.1,10.0.0.2"},
			want:      "198.51.100.1",
		},
		{name: "proxy without a header", peer: "10.0.0.1:1", want: "10.0.0.1"},
		{name: "all trusted", peer: "10.0.0.1:1", forwarded: []string{"10.0.0.3, 10.0.0.2"}, want: "10.0.0.3"},
		{name: "unreadable", peer: "10.0.0.1:1", forwarded: []string{"198.51.100.1, unknown"}},
		{
			name:      "unreadable, left of the client",
			peer:      "10.0.0.1:1",
			forwarded: []string{"unknown, 198.51.100.1"},
			want:      "198.51.100.1",
		},
		{name: "nothing between commas", peer: "10.0.0.1:1", forwarded: []string{"198.51.100.1,,10.0.0.2"}},
		{name: "with port", peer: "10.0.0.1:1", forwarded: []string{"198.51.100.1:4711"}, want: "198.51.100.1"},
		{
			name:      "IPv6 with port",
			peer:      "[2001:db8:1::1]:1",
			forwarded: []string{"[2001:db8::9]:4711"},
			want:      "2001:db8::9",
		},
		{name: "IPv6 in brackets", peer: "10.0.0.1:1", forwarded: []string{"[2001:db8::9]"}, want: "2001:db8::9"},
		{
			name:      "IPv4 in IPv6 is the same proxy",
			peer:      "[::ffff:10.0.0.1]:1",
			forwarded: []string{"198.51.100.1, ::ffff:10.0.0.2"},
			want:      "198.51.100.1",
		},
		{
			name:      "a zone is the same proxy",
			peer:      "10.0.0.1:1",
			forwarded: []string{"198.51.100.1, 2001:db8:1::2%eth0"},
			want:      "198.51.100.1",
		},
		{name: "unreadable peer", peer: "@", forwarded: []string{"198.51.100.1"}},
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
		{name: "GitHub", forwarded: "192.30.252.9", code: 202},
		{name: "another client that names GitHub", forwarded: "192.30.252.9, 6.6.6.6", code: 403},
		{name: "no header", forwarded: "-", code: 403},
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
