package server

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

type clientKey struct{}

// client notes who asks.
func (s *Server) client(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addr := clientAddr(r, s.o.TrustedProxies)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), clientKey{}, addr)))
	})
}

// clientOf is the address that client noted; invalid when it is unknown.
func clientOf(r *http.Request) netip.Addr {
	addr, _ := r.Context().Value(clientKey{}).(netip.Addr)
	return addr
}

// clientAddr walks from the peer leftwards through X-Forwarded-For, past every trusted proxy, to
// the first address that is not trusted; if all are, to the leftmost, which is a client inside the
// trusted network. What cannot be read ends the walk with an invalid address: nothing left of it
// can be believed.
func clientAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	addr := parseAddr(r.RemoteAddr)
	for _, header := range slices.Backward(r.Header.Values("X-Forwarded-For")) {
		for header != "" {
			if !addr.IsValid() || !containsAddr(trusted, addr) {
				return addr
			}

			i := strings.LastIndexByte(header, ',')
			addr = parseAddr(strings.TrimSpace(header[i+1:]))
			header = header[:max(i, 0)]
		}
	}

	return addr
}

// parseAddr reads an address with or without a port (some proxies add it), without IPv6 zone, and
// IPv4 in IPv6 as IPv4: otherwise the same host would have several names, some of which no prefix
// contains.
func parseAddr(s string) netip.Addr {
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		return withPort.Addr().Unmap().WithZone("")
	}
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

func containsAddr(prefixes []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}
