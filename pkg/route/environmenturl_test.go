package route

import (
	"fmt"
	"testing"
)

func TestEnvironmentURL(t *testing.T) {
	for _, c := range []struct {
		name        string
		url         string
		environment string
		want        string // empty: left out, with a note
	}{
		{
			name:        "host",
			url:         "https://{{ .Environment }}.example.com",
			environment: "Feature/X_1",
			want:        "https://feature-x-1.example.com",
		},
		{
			name:        "path and query",
			url:         "https://x.example.com/{{ .Environment }}?q={{ .Environment }}",
			environment: "a/b?c&d",
			want:        "https://x.example.com/a%2Fb%3Fc&d?q=a%2Fb%3Fc%26d",
		},
		{
			name:        "fragment",
			url:         "https://x.example.com/#a?{{ .Environment }}",
			environment: "b/c",
			want:        "https://x.example.com/#a?b%2Fc",
		},
		{
			name:        "query in a branch",
			url:         "https://x.example.com/{{ if .Ref }}?q={{ end }}{{ .Environment }}",
			environment: "a&b=c",
			want:        "https://x.example.com/?q=a%26b%3Dc",
		},
		{
			name:        "host after an empty range",
			url:         "https://{{ range .Payload.none }}x/{{ end }}{{ .Environment }}.example.com",
			environment: "evil.com/",
			want:        "https://evil-com-.example.com",
		},
		{name: "a step up", url: "https://x.example.com/a/{{ .Environment }}/b", environment: ".."},
		{name: "a step up in two values", url: "https://x.example.com/a/.{{ .Environment }}", environment: "."},
		{
			name:        "dots in a name",
			url:         "https://x.example.com/{{ .Environment }}",
			environment: "..a",
			want:        "https://x.example.com/..a",
		},
		{name: "no scheme", url: "{{ .Environment }}", environment: "javascript:alert(1)"},
		{name: "other scheme", url: "ftp://x.example.com", environment: "a"},
		{name: "user info", url: "https://u:p@x.example.com", environment: "a"},
		{
			name:        "host in a branch",
			url:         `https://{{ if .Environment }}{{ .Environment }}{{ end }}.example.com`,
			environment: "evil.com/",
			want:        "https://evil-com-.example.com",
		},
		{name: "empty host", url: "https://{{ .Payload.none }}/x", environment: "a"},
		{
			name:        "host at the end",
			url:         "https://{{ .Environment }}",
			environment: "evil.com",
			want:        "https://evil-com",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := fmt.Sprintf("routes: [{repository: acme/api, environment_url: %q}]", c.url)
			a := admit(t, text, toEnvironment(c.environment))
			if got := a.Target.EnvironmentURL; got != c.want || a.Problem != "" {
				t.Errorf("got %q, problem %q, want %q", got, a.Problem, c.want)
			}
			if leftOut := c.want == ""; leftOut != (len(a.Notes) == 1) {
				t.Errorf("got notes %q, want one: %v", a.Notes, leftOut)
			}
		})
	}
}
