package webhook

import (
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

const aSHA = "0123456789abcdef0123456789abcdef01234567"

// full is an event with every field that is read, and some that are not.
const full = `{"action":"created",
	"deployment":{"url":5,"id":42,"node_id":[],"sha":"0123456789ABCDEF0123456789abcdef01234567",
		"ref":"refs/heads/main","task":"deploy:all","environment":"Production","original_environment":null,
		"description":"go","payload":{"hosts": ["a"] },
		"creator":{"id":1,"login":"mona[bot]","type":"Bot"},
		"performed_via_github_app":{"id":15,"slug":"my-hubot"},
		"created_at":"2026-01-31T13:00:00+01:00"},
	"repository":{"id":7,"full_name":"acme/api.v2","owner":null},
	"workflow_run":{"id":"anything"},"installation":{"id":9,"node_id":"x"},"sender":12}`

// small is an event with only the fields that are required.
const small = `{"deployment":{"id":42,"sha":"` + aSHA + `","ref":"main","environment":"production"},` +
	`"repository":{"id":7,"full_name":"acme/api"}}`

func TestParseDeployment_Reads(t *testing.T) {
	repository := deployment.Repository{ID: 7, Owner: "acme", Name: "api"}
	smallWith := func(change func(*deployment.Request)) deployment.Request {
		r := deployment.Request{
			ID:          42,
			Repository:  repository,
			Environment: "production",
			Ref:         "main",
			SHA:         aSHA,
			Task:        "deploy",
		}

		change(&r)
		return r
	}

	for name, c := range map[string]struct {
		body string
		want deployment.Request
	}{
		"full": {
			body: full,
			want: deployment.Request{
				ID:           42,
				Repository:   deployment.Repository{ID: 7, Owner: "acme", Name: "api.v2"},
				Environment:  "Production",
				Ref:          "refs/heads/main",
				SHA:          aSHA,
				Task:         "deploy:all",
				Description:  "go",
				Payload:      []byte(`{"hosts": ["a"] }`),
				WorkflowRun:  true,
				Creator:      deployment.Creator{ID: 1, Login: "mona[bot]", Type: "Bot"},
				App:          deployment.App{ID: 15, Slug: "my-hubot"},
				Installation: 9,
				CreatedAt:    time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC),
			},
		},
		"small": {
			body: small,
			want: smallWith(func(*deployment.Request) {}),
		},
		"SHA-256 commit": {
			body: replace(small, aSHA, strings.Repeat("0f", 32)),
			want: smallWith(func(r *deployment.Request) { r.SHA = strings.Repeat("0f", 32) }),
		},
		"nulls": {
			body: replace(
				small,
				`"id":42`,
				`"id":42,"task":null,"description":null,"creator":null,"performed_via_github_app":null,`+
					`"created_at":null,"payload":null`,
				`"repository"`,
				`"workflow_run":null,"workflow":null,"installation":null,"deployment_status":null,"repository"`,
			),
			want: smallWith(func(r *deployment.Request) { r.Payload = []byte("null") }),
		},
		"payload is a string": {
			body: replace(small, `"id":42`, `"id":42,"payload":"{\"a\":1}"`),
			want: smallWith(func(r *deployment.Request) { r.Payload = []byte(`"{\"a\":1}"`) }),
		},
		"payload is an array": {
			body: replace(small, `"id":42`, `"id":42,"payload":[1e999]`),
			want: smallWith(func(r *deployment.Request) { r.Payload = []byte(`[1e999]`) }),
		},
		"old format of time": {
			body: replace(small, `"id":42`, `"id":42,"created_at":"2026-01-31 12:00:00"`),
			want: smallWith(func(r *deployment.Request) {
				r.CreatedAt = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
			}),
		},
		"long description is cut": {
			body: replace(small, `"id":42`, `"id":42,"description":"`+strings.Repeat("ä", 5000)+`"`),
			want: smallWith(func(r *deployment.Request) { r.Description = strings.Repeat("ä", 4096) }),
		},
		"longest environment": {
			body: replace(small, "production", strings.Repeat("ä", 255)),
			want: smallWith(func(r *deployment.Request) { r.Environment = strings.Repeat("ä", 255) }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := ParseDeployment([]byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func replace(s string, oldnew ...string) string { return strings.NewReplacer(oldnew...).Replace(s) }

// The error names the field and does not quote its value.
func TestParseDeployment_Rejects(t *testing.T) {
	const id, fullName = `"id":42`, `"full_name":"acme/api"`

	for name, c := range map[string]struct {
		body string
		want string
	}{
		"empty": {
			body: "",
			want: "not JSON",
		},
		"cut off": {
			body: small[:len(small)-1],
			want: "not JSON",
		},
		"two objects": {
			body: small + small,
			want: "not JSON",
		},
		"null": {
			body: " null",
			want: "null",
		},
		"array": {
			body: "[]",
			want: "array",
		},
		"string": {
			body: `"s3cret"`,
			want: "string",
		},
		"number": {
			body: "42",
			want: "number",
		},
		"not UTF-8": {
			body: replace(small, "main", "ma\xc3in"),
			want: "UTF-8",
		},
		"nested too deeply": {
			body: replace(small, id, id+`,"payload":`+strings.Repeat("[", 20000)),
			want: "deep",
		},
		"deployment_status": {
			body: replace(small, `"repository"`, `"deployment_status":{},"repository"`),
			want: "deployment_status",
		},
		"no deployment": {
			body: replace(small, `"deployment"`, `"deployed"`),
			want: "deployment is missing",
		},
		"deployment is null": {
			body: `{"deployment":null,"repository":{}}`,
			want: "deployment is missing",
		},
		"deployment is an array": {
			body: `{"deployment":[],"repository":{}}`,
			want: "deployment is a JSON array",
		},
		"no repository": {
			body: replace(small, `"repository"`, `"repo"`),
			want: "repository is missing",
		},
		"no id": {
			body: replace(small, id, `"x":1`),
			want: "deployment.id",
		},
		"id is a string": {
			body: replace(small, id, `"id":"s3cret"`),
			want: "deployment.id is a JSON string",
		},
		"id is a fraction": {
			body: replace(small, id, `"id":42.75`),
			want: "deployment.id is a JSON number where",
		},
		"id is zero": {
			body: replace(small, id, `"id":0`),
			want: "deployment.id",
		},
		"id is negative": {
			body: replace(small, id, `"id":-42`),
			want: "deployment.id",
		},
		"id is too large": {
			body: replace(small, id, `"id":9223372036854775808`),
			want: "deployment.id",
		},
		"no SHA": {
			body: replace(small, `"sha"`, `"x"`),
			want: "deployment.sha",
		},
		"short SHA": {
			body: replace(small, aSHA, "s3cret"),
			want: "deployment.sha",
		},
		"SHA of 41 digits": {
			body: replace(small, aSHA, aSHA+"0"),
			want: "deployment.sha",
		},
		"empty ref": {
			body: replace(small, `"main"`, `""`),
			want: "deployment.ref",
		},
		"ref is an object": {
			body: replace(small, `"main"`, `{}`),
			want: "deployment.ref is a JSON object",
		},
		"ref is too long": {
			body: replace(small, "main", strings.Repeat("s", 1025)),
			want: "deployment.ref",
		},
		"no environment": {
			body: replace(small, `"environment"`, `"x"`),
			want: "deployment.environment",
		},
		"environment is too long": {
			body: replace(small, "production", strings.Repeat("s", 256)),
			want: "deployment.environment",
		},
		"environment with NUL": {
			body: replace(small, "production", `s3cret\u0000`),
			want: "control character",
		},
		"task with a line break": {
			body: replace(small, id, id+`,"task":"s3cret\n"`),
			want: "deployment.task",
		},
		"description is a number": {
			body: replace(small, id, id+`,"description":12345`),
			want: "deployment.description is a JSON number where",
		},
		"creator is a string": {
			body: replace(small, id, id+`,"creator":"s3cret"`),
			want: "deployment.creator is a JSON string",
		},
		"creator is too long": {
			body: replace(small, id, id+`,"creator":{"login":"`+strings.Repeat("s", 101)+`"}`),
			want: "deployment.creator",
		},
		"app without a name": {
			body: replace(small, id, id+`,"performed_via_github_app":{}`),
			want: "performed_via_github_app",
		},
		"created_at is a number": {
			body: replace(small, id, id+`,"created_at":12345`),
			want: "deployment.created_at",
		},
		"created_at is no time": {
			body: replace(small, id, id+`,"created_at":"s3cret"`),
			want: "deployment.created_at",
		},
		"installation id is a string": {
			body: replace(small, `"repository"`, `"installation":{"id":"s3cret"},"repository"`),
			want: "installation.id",
		},
		"repository id is zero": {
			body: replace(small, `"id":7`, `"id":0`),
			want: "repository.id",
		},
		"no repository name": {
			body: replace(small, fullName, `"x":1`),
			want: "repository.full_name",
		},
		"repository name without owner": {
			body: replace(small, fullName, `"full_name":"s3cret"`),
			want: "repository.full_name",
		},
		"repository name of three parts": {
			body: replace(small, fullName, `"full_name":"a/b/s3cret"`),
			want: "repository.full_name",
		},
		"repository name is a path step": {
			body: replace(small, fullName, `"full_name":"acme/.."`),
			want: "repository.full_name",
		},
		"repository name with a query": {
			body: replace(small, fullName, `"full_name":"acme/s3cret?"`),
			want: "repository.full_name",
		},
		"repository name with a line break": {
			body: replace(small, fullName, `"full_name":"acme/s3cret\n"`),
			want: "repository.full_name",
		},
		"repository name is too long": {
			body: replace(small, fullName, `"full_name":"acme/`+strings.Repeat("s", 101)+`"`),
			want: "repository.full_name",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := ParseDeployment([]byte(c.body))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an error with %q", err, c.want)
			}

			for _, value := range []string{"s3cret", "12345", "42.75", "ssss"} {
				if strings.Contains(err.Error(), value) {
					t.Errorf("the error quotes the value %q: %v", value, err)
				}
			}
		})
	}
}

// A body of the largest size that is nested as deeply as it can be must not exhaust the stack.
func TestParseDeployment_DeepNesting(t *testing.T) {
	for name, depth := range map[string]int{
		"fast decoder":  maxFastBody / 2,
		"encoding/json": 25 << 20,
	} {
		t.Run(name, func(t *testing.T) {
			brackets := strings.Repeat("[", depth)
			if IsObject([]byte(`{"a":` + brackets)) {
				t.Errorf("IsObject of %d open brackets: got true, want false", depth)
			}
			if _, _, err := ParseDeployment([]byte(`{"deployment":` + brackets)); err == nil {
				t.Errorf("ParseDeployment of %d open brackets: got nil, want an error", depth)
			}
		})
	}
}

// FuzzParseDeployment checks that a parsed request has what the rest of the program relies on.
func FuzzParseDeployment(f *testing.F) {
	for _, s := range []string{full, small, "null", "[]", `{"deployment":{"id":-1}}`, strings.Repeat("[", 100), "\xff"} {
		f.Add([]byte(s))
	}

	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := Summarize(body); err == nil && !IsObject(body) ||
			err != nil && IsObject(body) && !strings.Contains(err.Error(), "deeply") {
			t.Errorf("IsObject: got %v, but Summarize returned %v", IsObject(body), err)
		}

		_, _ = ParseCircleCI(body)
		r, _, err := ParseDeployment(body)
		if err != nil {
			if !utf8.ValidString(err.Error()) || len(err.Error()) > 300 {
				t.Errorf("got an error of %d bytes, want at most 300 bytes of UTF-8", len(err.Error()))
			}

			return
		}

		for _, part := range []string{r.Repository.Owner, r.Repository.Name} {
			if part != url.PathEscape(part) || strings.Trim(part, ".") == "" && len(part) < 3 {
				t.Errorf("got repository %q, want a name that is safe in a path", r.Repository.FullName())
			}
		}

		if r.ID <= 0 || r.Repository.ID <= 0 || r.Environment == "" || r.Ref == "" || r.Task == "" || len(r.SHA) < 40 ||
			r.Installation < 0 {
			t.Errorf("got a request with missing fields: %+v", r)
		}
		if again, _, err := ParseDeployment(body); err != nil || !cmp.Equal(r, again) {
			t.Errorf("parsed again: got %+v, %v, want %+v", again, err, r)
		}
	})
}
