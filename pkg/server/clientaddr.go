package server

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientKey is the context key of the client's address.
type clientKey struct{}

// rememberClient keeps the client's address in the request's context.
func (s *Server) rememberClient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		addr := clientAddr(r, s.o.TrustedProxies)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), clientKey{}, addr)))
	})
}

// clientOf is the address that rememberClient kept. It is invalid where it is unknown.
func clientOf(r *http.Request) netip.Addr {
	addr, _ := r.Context().Value(clientKey{}).(netip.Addr)
	return addr
}

// clientAddr returns the address of the client. It walks from the peer leftwards through
// X-Forwarded-For, past every trusted proxy, to the first address that is not trusted. When all are
// trusted it is the leftmost, a client inside the trusted network. An unreadable address ends the
// walk with an invalid one, because nothing left of it can be believed.
func clientAddr(r *http.Request, trusted []netip.Prefix) netip.Addr {
	addr := parseAddr(r.RemoteAddr)
	for _, header := range slices.Backward(r.Header.Values("X-Forwarded-For")) {
		for header != "" {
			contains := func(p netip.Prefix) bool { return p.Contains(addr) }
			if !addr.IsValid() || !slices.ContainsFunc(trusted, contains) {
				return addr
			}

			comma := strings.LastIndexByte(header, ',')
			addr = parseAddr(strings.TrimSpace(header[comma+1:]))
			header = header[:max(comma, 0)]
		}
	}
	return addr
}

// parseAddr reads an address with or without a port, which some proxies add. It drops IPv6 zones and
// unmaps IPv4 in IPv6, because the same host must not have several spellings of which some are in no
// trusted prefix.
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
