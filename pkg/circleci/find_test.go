package circleci

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

func TestClient_Evidence(t *testing.T) {
	for name, tt := range map[string]struct {
		values string // empty: 404
		config string // empty: 404
		want   deployment.KeyEvidence
	}{
		"in the values": {
			values: `{"pipeline.parameters.seraph_key":"k-123"}`,
			want:   deployment.KeyFound,
		},
		"part of a value": {
			values: `{"x":"a k-123 b","n":7}`,
			want:   deployment.KeyFound,
		},
		"another key": {
			values: `{"pipeline.parameters.seraph_key":"other"}`,
			want:   deployment.KeyOther,
		},
		"in the compiled configuration": {
			values: `{}`,
			config: `{"source":"a","compiled":"environment:\n K: k-123"}`,
			want:   deployment.KeyFound,
		},
		"in the setup configuration": {
			config: `{"source":"a","compiled":"","compiled-setup-config":"K: k-123"}`,
			want:   deployment.KeyFound,
		},
		"nowhere": {
			values: `{}`,
			config: `{"source":"a","compiled":"jobs:"}`,
			want:   deployment.KeyAbsent,
		},
		"configuration not compiled": {
			values: `{}`,
			config: `{"source":"a","compiled":""}`,
			want:   deployment.KeyNotCompiled,
		},
		"neither can be read": {
			want: deployment.KeyUnreadable,
		},
		"values only, without the key": {
			values: `{"pipeline.id":"p1"}`,
			want:   deployment.KeyUnreadable,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				body := tt.config
				if strings.HasSuffix(r.URL.Path, "/values") {
					body = tt.values
				}
				if body == "" {
					w.WriteHeader(http.StatusNotFound)
				}

				_, _ = io.WriteString(w, body)
			})

			got, err := c.Evidence(t.Context(), "p1", "k-123", []string{"seraph_key"})
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}

	t.Run("server error", func(t *testing.T) {
		c := newClient(t, answerWith(http.StatusBadGateway, ""))
		if got, err := c.Evidence(t.Context(), "p1", "k", nil); err == nil {
			t.Errorf("got %s, want an error", got)
		}
	})
}

func TestClient_List(t *testing.T) {
	now := time.Now()
	since := now.Add(-10 * time.Minute)
	item := func(id string, age time.Duration) string {
		return fmt.Sprintf(`{"id":%q,"created_at":%q}`, id, now.Add(-age).UTC().Format(time.RFC3339))
	}

	pages := map[string]string{
		"":  fmt.Sprintf(`{"items":[%s,%s],"next_page_token":"2"}`, item("p3", time.Second), item("p2", time.Minute)),
		"2": fmt.Sprintf(`{"items":[%s],"next_page_token":"3"}`, item("p1", time.Hour)),
		"3": fmt.Sprintf(`{"items":[%s],"next_page_token":null}`, item("p0", 2*time.Hour)),
	}

	for name, tt := range map[string]struct {
		mineFails    bool
		control      string
		wantMine     []string
		wantProject  []string
		wantComplete [2]bool // of mine, of the project
	}{
		"back to the time": {
			wantMine:     []string{"p3", "p2", "p1"},
			wantProject:  []string{"p3", "p2", "p1"},
			wantComplete: [2]bool{true, true},
		},
		"back to the time, past the control": {
			control:      "p2",
			wantMine:     []string{"p3", "p2", "p1"},
			wantProject:  []string{"p3", "p2", "p1"},
			wantComplete: [2]bool{true, true},
		},
		"back to the control": {
			control:      "p0",
			wantMine:     []string{"p3", "p2", "p1", "p0"},
			wantProject:  []string{"p3", "p2", "p1", "p0"},
			wantComplete: [2]bool{true, true},
		},
		"one list fails": {
			mineFails:    true,
			wantProject:  []string{"p3", "p2", "p1"},
			wantComplete: [2]bool{false, true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == "/api/v2/me":
					_, _ = io.WriteString(w, `{"id":"u1","login":"bot"}`)
				case tt.mineFails && strings.HasSuffix(r.URL.Path, "/mine"):
					w.WriteHeader(http.StatusInternalServerError)
				default:
					_, _ = io.WriteString(w, pages[r.URL.Query().Get("page-token")])
				}
			})

			got, err := c.List(t.Context(), "gh/acme/api", since, tt.control)
			if err != nil {
				t.Fatal(err)
			}
			if ids := idsOf(got.Mine); !slices.Equal(ids, tt.wantMine) {
				t.Errorf("got mine %v, want %v", ids, tt.wantMine)
			}
			if ids := idsOf(got.Project); !slices.Equal(ids, tt.wantProject) {
				t.Errorf("got project %v, want %v", ids, tt.wantProject)
			}
			if complete := [2]bool{got.MineComplete, got.ProjectComplete}; complete != tt.wantComplete {
				t.Errorf("got complete %v, want %v", complete, tt.wantComplete)
			}
			if got.Me != "bot" || got.MeID != "u1" {
				t.Errorf("got user %s %s, want bot u1", got.Me, got.MeID)
			}
		})
	}
}

// The list is read back to since by CircleCI's clock, from which its times are.
func TestClient_List_ClockBehind(t *testing.T) {
	const behind = time.Hour
	now := time.Now()
	item := func(id string, age time.Duration) string {
		return fmt.Sprintf(`{"id":%q,"created_at":%q}`, id, now.Add(-behind-age).UTC().Format(time.RFC3339))
	}
	pages := map[string]string{
		"":  fmt.Sprintf(`{"items":[%s],"next_page_token":"2"}`, item("p3", time.Second)),
		"2": fmt.Sprintf(`{"items":[%s],"next_page_token":"3"}`, item("p2", time.Minute)),
		"3": fmt.Sprintf(`{"items":[%s],"next_page_token":"4"}`, item("p1", time.Hour)),
	}

	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", now.Add(-behind).UTC().Format(http.TimeFormat))
		body := pages[r.URL.Query().Get("page-token")]
		if r.URL.Path == "/api/v2/me" {
			body = `{"id":"u1","login":"bot"}`
		}
		_, _ = io.WriteString(w, body)
	})

	got, err := c.List(t.Context(), "gh/acme/api", now.Add(-10*time.Minute), "")
	if err != nil || !got.ProjectComplete {
		t.Fatalf("got complete %v (%v), want a complete list", got.ProjectComplete, err)
	}
	if ids, want := idsOf(got.Project), []string{"p3", "p2", "p1"}; !slices.Equal(ids, want) {
		t.Errorf("got %v, want %v", ids, want)
	}
	if off := got.Offset + behind; off.Abs() > 5*time.Second {
		t.Errorf("got an offset of %s, want about %s", got.Offset, -behind)
	}
}

// What was read of lists that end early is returned with the error: it may show the pipeline.
func TestClient_List_LaterPagesFail(t *testing.T) {
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/api/v2/me":
			_, _ = io.WriteString(w, `{"id":"u1","login":"bot"}`)
		case r.URL.Query().Get("page-token") != "":
			w.WriteHeader(http.StatusNotFound)
		default:
			_, _ = io.WriteString(w, `{"items":[{"id":"p1","created_at":"2026-11-22T12:00:00Z"}],"next_page_token":"2"}`)
		}
	})

	got, err := c.List(t.Context(), "gh/acme/api", time.Unix(0, 0), "")
	if err == nil || got.MineComplete || got.ProjectComplete {
		t.Errorf("got %v and complete %v %v, want an error and neither", err, got.MineComplete, got.ProjectComplete)
	}

	want := []string{"p1"}
	if mine, all := idsOf(got.Mine), idsOf(got.Project); !slices.Equal(mine, want) || !slices.Equal(all, want) {
		t.Errorf("got mine %v and project %v, want %v in both", mine, all, want)
	}
}

// An answer that is no list of CircleCI's proves nothing: that a pipeline is not in it would let the trigger be
// repeated.
func TestClient_List_AnswersWithoutAList(t *testing.T) {
	const whole = `{"id":"p1","created_at":"2026-11-22T12:00:00Z"}`
	for _, tt := range []struct {
		name string
		body string
		want []string // what was read is returned all the same
	}{
		{name: "page of a proxy", body: `<html>`},
		{name: "nothing", body: ``},
		{name: "null", body: `null`},
		{name: "other JSON", body: `{"status":"ok"}`},
		{name: "message", body: `{"message":"we will be back soon"}`},
		{name: "no items", body: `{"items":null,"next_page_token":null}`},
		{name: "item without anything", body: `{"items":[` + whole + `,{}],"next_page_token":null}`, want: []string{"p1"}},
		{
			name: "item without a time",
			body: `{"items":[{"id":"p2"},` + whole + `],"next_page_token":null}`,
			want: []string{"p1"},
		},
		{
			name: "item without an id",
			body: `{"items":[` + whole + `,{"created_at":"2026-11-22T12:00:00Z"}],"next_page_token":null}`,
			want: []string{"p1"},
		},
		{
			name: "item without a time in a list without an end",
			body: `{"items":[{"id":"p2"},` + whole + `],"next_page_token":"again"}`,
			want: []string{"p1", "p1"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
				body := tt.body
				if r.URL.Path == "/api/v2/me" {
					body = `{"id":"u1","login":"bot"}`
				}
				_, _ = io.WriteString(w, body)
			})

			got, _ := c.List(t.Context(), "gh/acme/api", time.Unix(0, 0), "")
			if got.MineComplete || got.ProjectComplete {
				t.Errorf("got complete %v %v, want neither", got.MineComplete, got.ProjectComplete)
			}
			if ids := idsOf(got.Project); !slices.Equal(ids, tt.want) {
				t.Errorf("got %v, want %v", ids, tt.want)
			}
		})
	}
}

func TestClient_Definitions_ReadsAllPages(t *testing.T) {
	c := newClient(t, func(w http.ResponseWriter, r *http.Request) {
		body := `{"items":[{"id":"d1","name":"build"}],"next_page_token":"2"}`
		if r.URL.Query().Get("page-token") == "2" {
			body = `{"items":[{"id":"d2","name":"deploy"}],"next_page_token":null}`
		}
		_, _ = io.WriteString(w, body)
	})

	got, err := c.Definitions(t.Context(), "project")
	if err != nil {
		t.Fatal(err)
	}

	want := []Definition{{ID: "d1", Name: "build"}, {ID: "d2", Name: "deploy"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func idsOf(list []deployment.PipelineFacts) []string {
	var ids []string
	for _, p := range list {
		ids = append(ids, p.ID)
	}
	return ids
}
