package route

import (
	"strings"
	"testing"
)

func TestParameter_Values(t *testing.T) {
	for _, c := range []struct {
		name    string
		line    string // how the parameter is given
		payload string
		want    string
		problem string // part of it; empty: none
	}{
		{name: "string", line: `"{{ .Payload.v }}"`, payload: `{"v":"ok"}`, want: `"ok"`},
		{
			name:    "number keeps digits",
			line:    `"{{ .Payload.v }}"`,
			payload: `{"v":12345678901234567890}`,
			want:    `"12345678901234567890"`,
		},
		{
			name:    "object as JSON",
			line:    `{value: "{{ .Payload.v }}", match: ".*"}`,
			payload: `{"v":{"b":1,"a":"<x>"}}`,
			want:    `"{\"a\":\"\u003cx\u003e\",\"b\":1}"`,
		},
		{
			name:    "list as JSON",
			line:    `{value: "{{ .Payload.v }}", match: ".*"}`,
			payload: `{"v":[1,"a"]}`,
			want:    `"[1,\"a\"]"`,
		},
		{name: "missing", line: `"{{ .Payload.v }}"`, payload: `{}`, want: `""`},
		{name: "missing at depth", line: `"{{ .Payload.a.b.c }}"`, payload: `{"a":{"b":7}}`, want: `""`},
		{name: "missing in a pipeline", line: `'{{ .Payload.a.b | printf "x%v" }}'`, payload: `{}`, want: `"x"`},
		{
			name:    "missing in if",
			line:    `'{{ if .Payload.a.b }}yes{{ else }}no{{ end }}'`,
			payload: `{}`,
			want:    `"no"`,
		},
		{
			name:    "comparison",
			line:    `'{{ if eq .Payload.a "x" }}yes{{ end }}'`,
			payload: `{"a":"x"}`,
			want:    `"yes"`,
		},
		{name: "null", line: `"{{ .Payload.v }}"`, payload: `{"v":null}`, want: `""`},
		{name: "payload in a string", line: `"{{ .Payload.v }}"`, payload: `"{\"v\":\"ok\"}"`, want: `"ok"`},
		{name: "payload is text", line: `"{{ .PayloadText }}"`, payload: `"hello"`, want: `"hello"`},
		{
			name:    "payload is a list",
			line:    `{value: "{{ .PayloadText }}", match: ".*"}`,
			payload: `[1,2]`,
			want:    `"[1,2]"`,
		},
		{name: "payload is absent", line: `"{{ .PayloadText }}{{ .Payload.v }}"`, want: `""`},
		{name: "integer", line: `{value: "{{ .Payload.v }}", type: integer}`, payload: `{"v":"-5"}`, want: `-5`},
		{
			name:    "not an integer",
			line:    `{value: "{{ .Payload.v }}", type: integer}`,
			payload: `{"v":"5.0"}`,
			problem: "not an integer",
		},
		{name: "integer, missing", line: `{value: "{{ .Payload.v }}", type: integer}`, payload: `{}`},
		{name: "boolean", line: `{value: "{{ .Payload.v }}", type: boolean}`, payload: `{"v":true}`, want: `true`},
		{
			name:    "not a boolean",
			line:    `{value: "{{ .Payload.v }}", type: boolean}`,
			payload: `{"v":"yes"}`,
			problem: "neither true nor false",
		},
		{
			name:    "required, missing",
			line:    `{value: "{{ .Payload.v }}", required: true}`,
			payload: `{}`,
			problem: "required, but empty",
		},
		{
			name:    "match is for the whole text",
			line:    `{value: "{{ .Payload.v }}", match: "a|b"}`,
			payload: `{"v":"ab"}`,
			problem: "does not match a|b",
		},
		{
			name:    "match by itself",
			line:    `{value: "{{ .Payload.v }}", match: "(?m)[a-z]+"}`,
			payload: `{"v":"a\nb"}`,
			problem: "does not match",
		},
		{name: "option", line: `"{{ .Payload.v }}"`, payload: `{"v":"-rf --force"}`, problem: "begins with -"},
		{name: "option after a space", line: `"{{ .Payload.v }}"`, payload: `{"v":" -rf"}`, problem: "begins with -"},
		{name: "hyphen inside", line: `"{{ .Payload.v }}"`, payload: `{"v":"a-b - c"}`, want: `"a-b - c"`},
		{
			name:    "option that match allows",
			line:    `{value: "{{ .Payload.v }}", match: "-.*"}`,
			payload: `{"v":"-rf"}`,
			want:    `"-rf"`,
		},
		{
			name:    "text that looks like a missing value",
			line:    `{value: "{{ .Payload.v }}", match: ".*"}`,
			payload: `{"v":"ma<no value>in"}`,
			want:    `"ma\u003cno value\u003ein"`,
		},
		{
			name:    "missing in a list",
			line:    `'{{ range .Payload.v }}{{ .a }},{{ end }}'`,
			payload: `{"v":[{"b":1},{"a":2}]}`,
			want:    `",2,"`,
		},
		{name: "missing by index", line: `'{{ index .Payload "v" }}x'`, payload: `{}`, want: `"x"`},
		{
			name:    "key of the name of a field",
			line:    `'{{ with .Payload.v }}{{ .Payload.a }}{{ end }}'`,
			payload: `{"v":{"Payload":{"a":"in"}},"a":"out"}`,
			want:    `"in"`,
		},
		{name: "shell characters", line: `"{{ .Payload.v }}"`, payload: `{"v":"x; rm -rf /"}`, problem: "one of"},
		{
			name:    "control character",
			line:    `"{{ .Payload.v }}"`,
			payload: `{"v":"a\u0007"}`,
			problem: "control character",
		},
		{
			name:    "512 characters",
			line:    `"{{ .Payload.v }}"`,
			payload: `{"v":"` + strings.Repeat("ü", 512) + `"}`,
			want:    `"` + strings.Repeat("ü", 512) + `"`,
		},
		{
			name:    "513 characters",
			line:    `"{{ .Payload.v }}"`,
			payload: `{"v":"` + strings.Repeat("ü", 513) + `"}`,
			problem: "longer than 512",
		},
		{
			name:    "too much output",
			line:    `'{{ range .Payload.v }}{{ $.Payload.t }}{{ end }}'`,
			payload: `{"v":[` + strings.Repeat("1,", 999) + `1],"t":"` + strings.Repeat("x", 100) + `"}`,
			problem: "64 KiB",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := admit(t, oneParameterTable(c.line), withPayload(c.payload))
			if c.problem != "" {
				if !strings.HasPrefix(a.Problem, "parameter p: ") || !strings.Contains(a.Problem, c.problem) {
					t.Errorf("got problem %q, want it to name parameter p and %q", a.Problem, c.problem)
				}
				if strings.Contains(a.Problem, "rm -rf") {
					t.Errorf("got problem %q, want it not to show the value", a.Problem)
				}

				return
			}

			got := ""
			if len(a.Target.Parameters) > 0 {
				got = string(a.Target.Parameters[0].Value)
			}
			if a.Problem != "" || got != c.want {
				t.Errorf("got %s, problem %q, want %s", got, a.Problem, c.want)
			}
		})
	}
}
