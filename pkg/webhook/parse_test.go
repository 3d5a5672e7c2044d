package webhook

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

const aSHA = "0123456789abcdef0123456789abcdef01234567"

// full is an event with everything that is read, and some that is not.
const full = `{"action":"created","deployment":{"url":5,"id":42,"node_id":[],"sha":"0123456789ABCDEF0123456789abcdef01234567","ref":"refs/heads/main",
	"task":"deploy:all","environment":"Production","original_environment":null,"description":"go","payload":{"hosts": ["a"] },
	"creator":{"id":1,"login":"mona[bot]","type":"Bot"},"performed_via_github_app":{"id":15,"slug":"my-hubot"},
	"created_at":"2026-01-31T13:00:00+01:00"},"repository":{"id":7,"full_name":"acme/api.v2","owner":null},
	"workflow_run":{"id":"anything"},"installation":{"id":9,"node_id":"x"},"sender":12}`

// small is the least that is taken.
const small = `{"deployment":{"id":42,"sha":"` + aSHA + `","ref":"main","environment":"production"},"repository":{"id":7,"full_name":"acme/api"}}`

func TestParseDeployment(t *testing.T) {
	repository := deployment.Repository{ID: 7, Owner: "acme", Name: "api"}
	least := deployment.Request{
		ID:          42,
		Repository:  repository,
		Environment: "production",
		Ref:         "main",
		SHA:         aSHA,
		Task:        "deploy",
	}

	with := func(change func(*deployment.Request)) deployment.Request {
		r := least
		change(&r)
		return r
	}

	cases := map[string]struct {
		body string
		want deployment.Request
	}{
		"full": {full, deployment.Request{
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
		}},
		"small": {small, least},
		"SHA256": {
			replace(small, aSHA, strings.Repeat("0f", 32)),
			with(func(r *deployment.Request) { r.SHA = strings.Repeat("0f", 32) }),
		},
		"nulls": {
			replace(
				small,
				`"id":42`,
				`"id":42,"task":null,"description":null,"creator":null,"performed_via_github_app":null,"created_at":null,"payload":null`,
				`"repository"`,
				`"workflow_run":null,"workflow":null,"installation":null,"deployment_status":null,"repository"`,
			),
			with(func(r *deployment.Request) { r.Payload = []byte("null") }),
		},
		"payload text": {
			replace(small, `"id":42`, `"id":42,"payload":"{\"a\":1}"`),
			with(func(r *deployment.Request) { r.Payload = []byte(`"{\"a\":1}"`) }),
		},
		"payload list": {
			replace(small, `"id":42`, `"id":42,"payload":[1e999]`),
			with(func(r *deployment.Request) { r.Payload = []byte(`[1e999]`) }),
		},
		"old time": {
			replace(small, `"id":42`, `"id":42,"created_at":"2026-01-31 12:00:00"`),
			with(func(r *deployment.Request) { r.CreatedAt = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC) }),
		},
		"long description": {
			replace(small, `"id":42`, `"id":42,"description":"`+strings.Repeat("ä", 5000)+`"`),
			with(func(r *deployment.Request) { r.Description = strings.Repeat("ä", 4096) }),
		},
		"long environment": {
			replace(small, "production", strings.Repeat("ä", 255)),
			with(func(r *deployment.Request) { r.Environment = strings.Repeat("ä", 255) }),
		},
	}

	for name, c := range cases {
		got, _, err := ParseDeployment([]byte(c.body))
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func replace(s string, oldnew ...string) string { return strings.NewReplacer(oldnew...).Replace(s) }

// TestParseDeploymentRefuses wants an error that names the field and does not quote the value.
func TestParseDeploymentRefuses(t *testing.T) {
	id, repo := `"id":42`, `"full_name":"acme/api"`
	cases := map[string]struct{ body, want string }{
		"empty":     {"", "not JSON"},
		"cut":       {small[:len(small)-1], "not JSON"},
		"two":       {small + small, "not JSON"},
		"null":      {" null", "null"},
		"list":      {"[]", "array"},
		"text":      {`"s3cret"`, "string"},
		"number":    {"42", "number"},
		"not UTF-8": {replace(small, "main", "ma\xc3in"), "UTF-8"},
		"deep":      {replace(small, id, id+`,"payload":`+strings.Repeat("[", 20000)), "deep"},
		"status": {
			replace(small, `"repository"`, `"deployment_status":{},"repository"`),
			"deployment_status",
		},
		"no deployment":    {replace(small, `"deployment"`, `"deployed"`), "deployment is missing"},
		"deployment null":  {`{"deployment":null,"repository":{}}`, "deployment is missing"},
		"deployment list":  {`{"deployment":[],"repository":{}}`, "deployment is a JSON array"},
		"no repository":    {replace(small, `"repository"`, `"repo"`), "repository is missing"},
		"no id":            {replace(small, id, `"x":1`), "deployment.id"},
		"id text":          {replace(small, id, `"id":"s3cret"`), "deployment.id is a JSON string"},
		"id fraction":      {replace(small, id, `"id":42.75`), "deployment.id is a JSON number where"},
		"id zero":          {replace(small, id, `"id":0`), "deployment.id"},
		"id negative":      {replace(small, id, `"id":-42`), "deployment.id"},
		"id too large":     {replace(small, id, `"id":9223372036854775808`), "deployment.id"},
		"no sha":           {replace(small, `"sha"`, `"x"`), "deployment.sha"},
		"sha short":        {replace(small, aSHA, "s3cret"), "deployment.sha"},
		"sha of 41":        {replace(small, aSHA, aSHA+"0"), "deployment.sha"},
		"no ref":           {replace(small, `"main"`, `""`), "deployment.ref"},
		"ref object":       {replace(small, `"main"`, `{}`), "deployment.ref is a JSON object"},
		"ref too long":     {replace(small, "main", strings.Repeat("s", 1025)), "deployment.ref"},
		"no environment":   {replace(small, `"environment"`, `"x"`), "deployment.environment"},
		"environment long": {replace(small, "production", strings.Repeat("s", 256)), "deployment.environment"},
		"environment NUL":  {replace(small, "production", `s3cret\u0000`), "control character"},
		"task line":        {replace(small, id, id+`,"task":"s3cret\n"`), "deployment.task"},
		"description number": {
			replace(small, id, id+`,"description":12345`),
			"deployment.description is a JSON number where",
		},
		"creator text": {replace(small, id, id+`,"creator":"s3cret"`), "deployment.creator is a JSON string"},
		"creator long": {
			replace(small, id, id+`,"creator":{"login":"`+strings.Repeat("s", 101)+`"}`),
			"deployment.creator",
		},
		"nobody's app":     {replace(small, id, id+`,"performed_via_github_app":{}`), "performed_via_github_app"},
		"created number":   {replace(small, id, id+`,"created_at":12345`), "deployment.created_at"},
		"created nonsense": {replace(small, id, id+`,"created_at":"s3cret"`), "deployment.created_at"},
		"installation text": {
			replace(small, `"repository"`, `"installation":{"id":"s3cret"},"repository"`),
			"installation.id",
		},
		"repository id":     {replace(small, `"id":7`, `"id":0`), "repository.id"},
		"no name":           {replace(small, repo, `"x":1`), "repository.full_name"},
		"name alone":        {replace(small, repo, `"full_name":"s3cret"`), "repository.full_name"},
		"name of three":     {replace(small, repo, `"full_name":"a/b/s3cret"`), "repository.full_name"},
		"name upwards":      {replace(small, repo, `"full_name":"acme/.."`), "repository.full_name"},
		"name with a query": {replace(small, repo, `"full_name":"acme/s3cret?"`), "repository.full_name"},
		"name with a line":  {replace(small, repo, `"full_name":"acme/s3cret\n"`), "repository.full_name"},
		"name too long": {
			replace(small, repo, `"full_name":"acme/`+strings.Repeat("s", 101)+`"`),
			"repository.full_name",
		},
	}

	for name, c := range cases {
		_, _, err := ParseDeployment([]byte(c.body))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
			continue
		}

		for _, value := range []string{"s3cret", "12345", "42.75", "ssss"} {
			if strings.Contains(err.Error(), value) {
				t.Errorf("%s: the error quotes the value: %v", name, err)
			}
		}
	}
}

func TestSummarize(t *testing.T) {
	cases := map[string]struct {
		body string
		want Summary
		err  string
	}{
		"deployment": {full, Summary{Deployment: true}, ""},
		"ping":       {`{"zen":"…","hook_id":3,"repository":null}`, Summary{HookID: 3}, ""},
		"status":     {`{"deployment":{"id":42},"deployment_status":{}}`, Summary{Deployment: true}, ""},
		"strange": {
			`{"action":[],"hook_id":"x","deployment":"y","repository":[1]}`,
			Summary{Deployment: true},
			"",
		},
		"strange ids":  {`{"deployment":{"id":{}},"repository":{"id":1.5}}`, Summary{Deployment: true}, ""},
		"unrelated":    {`{"status":"ok"}`, Summary{}, ""},
		"not UTF-8":    {"{\"action\":\"\xff\"}", Summary{}, ""},
		"not JSON":     {`{`, Summary{}, "not JSON"},
		"null":         {"\n null", Summary{}, "null"},
		"list":         {`[]`, Summary{}, "array"},
		"deeply wrong": {strings.Repeat(`{"deployment":`, 20000), Summary{}, "deep"},
	}

	for name, c := range cases {
		got, err := Summarize([]byte(c.body))
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestPayload(t *testing.T) {
	cases := map[string]struct {
		contentType, body string
		want              string
		ok                bool
	}{
		"JSON":          {"application/json", `{"a": "+%41"}`, `{"a": "+%41"}`, true},
		"charset":       {"Application/JSON ; charset=utf-8", `{}`, `{}`, true},
		"bad parameter": {"application/json; charset", `{}`, `{}`, true},
		"form":          {"application/x-www-form-urlencoded", "payload=%7B%22a%22%3A+1%7D", `{"a": 1}`, true},
		"form, charset": {
			"application/x-www-form-urlencoded; charset=utf-8",
			"x=1&payload=%7b%7d&payload=no",
			`{}`,
			true,
		},
		"form, raw":        {"application/x-www-form-urlencoded", `payload={"a":"="}`, `{"a":"="}`, true},
		"form, empty":      {"application/x-www-form-urlencoded", "payload=", "", true},
		"form without":     {"application/x-www-form-urlencoded", "payloads=1", "", false},
		"form, nothing":    {"application/x-www-form-urlencoded", "", "", false},
		"form, bad escape": {"application/x-www-form-urlencoded", "payload=%7", "", false},
		"form, no hex":     {"application/x-www-form-urlencoded", "payload=%zz", "", false},
		"none":             {"", `{}`, "", false},
		"other":            {"text/plain", `{}`, "", false},
		"relative":         {"application/vnd.github+json", `{}`, "", false},
		"multipart":        {"multipart/form-data; boundary=x", `{}`, "", false},
	}

	for name, c := range cases {
		got, err := Payload(c.contentType, []byte(c.body))
		if string(got) != c.want || (err == nil) != c.ok {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func TestParseCircleCI(t *testing.T) {
	cases := map[string]struct {
		body string
		want CircleCIEvent
		ok   bool
	}{
		"workflow": {
			`{"id":"e-1","type":"workflow-completed","pipeline":{"id":"p-1","number":1},"project":{"id":"q-1"},"new":1}`,
			CircleCIEvent{ID: "e-1", Type: "workflow-completed", PipelineID: "p-1", ProjectID: "q-1"},
			true,
		},
		"ping":     {`{}`, CircleCIEvent{}, true},
		"strange":  {`{"id":1,"type":"a b","pipeline":[],"project":{"id":{}}}`, CircleCIEvent{}, true},
		"path":     {`{"pipeline":{"id":"../me"}}`, CircleCIEvent{}, true},
		"null":     {`null`, CircleCIEvent{}, false},
		"list":     {`[]`, CircleCIEvent{}, false},
		"not JSON": {`{"id":`, CircleCIEvent{}, false},
	}

	for name, c := range cases {
		if got, err := ParseCircleCI([]byte(c.body)); got != c.want || (err == nil) != c.ok {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

// FuzzParseDeployment holds what comes through to what the rest of the program relies on.
func FuzzParseDeployment(f *testing.F) {
	for _, s := range []string{full, small, "null", "[]", `{"deployment":{"id":-1}}`, strings.Repeat("[", 100), "\xff"} {
		f.Add([]byte(s))
	}

	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := Summarize(body); err == nil && !IsObject(body) ||
			err != nil && IsObject(body) && !strings.Contains(err.Error(), "deeply") {
			t.Errorf("an object? %v, but %v", IsObject(body), err)
		}

		_, _ = ParseCircleCI(body)
		r, _, err := ParseDeployment(body)
		if err != nil {
			if !utf8.ValidString(err.Error()) || len(err.Error()) > 300 {
				t.Errorf("error of %d bytes", len(err.Error()))
			}

			return
		}

		for _, part := range []string{r.Repository.Owner, r.Repository.Name} {
			if part != url.PathEscape(part) || strings.Trim(part, ".") == "" && len(part) < 3 {
				t.Errorf("repository %q", r.Repository.FullName())
			}
		}

		if r.ID <= 0 || r.Repository.ID <= 0 || r.Environment == "" || r.Ref == "" || r.Task == "" || len(r.SHA) < 40 ||
			r.Installation < 0 {
			t.Errorf("%+v", r)
		}
		if again, _, err := ParseDeployment(body); err != nil || !cmp.Equal(r, again) {
			t.Errorf("not the same twice: %v", err)
		}
	})
}

// A body that is nested as deeply as a webhook can be long must not end the process.
func TestDeepBodies(t *testing.T) {
	for _, n := range []int{maxFastBody / 2, 25 << 20} {
		if IsObject([]byte(`{"a":` + strings.Repeat("[", n))) {
			t.Errorf("%d open brackets are an object", n)
		}
		if _, _, err := ParseDeployment([]byte(`{"deployment":` + strings.Repeat("[", n))); err == nil {
			t.Errorf("%d open brackets are a deployment", n)
		}
	}
}

// FuzzFastDecode compares the fast decoder with encoding/json.
func FuzzFastDecode(f *testing.F) {
	for _, s := range []string{
		full, small, "null", "[]", `{"a":{}}`, `{"Action":"created","ACTION":null,"deployment":{"Id":1,"id":2,"\u0049D":3},"deployment":{"creator":{"login":"a","x":{"login":"b"}}}}`,
		`{"deployment":5,"repository":[{"id":1}]}`, `{"deployment":null,"workflow_run":{"deep":[[[]]]},"deployment_status":[]} `, `{"deployment":{"id":01}}`,
		`{"deployment":{"payload":{"a" : "\ud800"},"taſK":"a"}}`, `{"action":"deleted","action":null}`, `{"deployment":{"description":"\ud800\n","task":"a\"b"}}`,
		`{"deployment":{"payload":` + strings.Repeat("[", maxFastDepth+1) + strings.Repeat("]", maxFastDepth+1) + `}}`,
		`{"other":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`,
	} {
		f.Add([]byte(s))
	}

	f.Fuzz(func(t *testing.T, body []byte) {
		if !utf8.Valid(body) {
			return // ParseDeployment refuses it before
		}

		var slow, fast event
		slowErr, fastErr := decode(body, &slow), decodeEvent(body, &fast)
		if fmt.Sprint(slowErr) != fmt.Sprint(fastErr) || !reflect.DeepEqual(slow, fast) {
			t.Errorf("encoding/json: %v, %+v, fast decoder: %v, %+v", slowErr, slow, fastErr, fast)
		}
	})
}

// FuzzPayload holds the form decoder to the standard library's.
func FuzzPayload(f *testing.F) {
	for _, s := range []string{"payload=%7B%7D", "a=b&payload=+", "payload", "payload=%", "payload=%4", "&&=&payload=1&payload=2"} {
		f.Add(s)
	}

	f.Fuzz(func(t *testing.T, form string) {
		got, err := Payload(mediaForm, []byte(form))
		want, wantErr := url.ParseQuery(form)
		if wantErr != nil || encodedKey(form) {
			return // the standard library refuses the whole form, or decodes keys, which GitHub has no need to encode
		}
		if (err == nil) != want.Has("payload") || err == nil && string(got) != want.Get("payload") {
			t.Errorf("got %q, %v, want %q", got, err, fmt.Sprint(want["payload"]))
		}
	})
}

func encodedKey(form string) bool {
	for pair := range strings.SplitSeq(form, "&") {
		if key, _, _ := strings.Cut(pair, "="); strings.ContainsAny(key, "%+") {
			return true
		}
	}
	return false
}
