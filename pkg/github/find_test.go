package github

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	sim "github.com/seraph-deploy/seraph/test/sim/github"
)

func TestFindDeployments_FiltersAndPages(t *testing.T) {
	s, o, req := newSimulation(t, sim.Options{})
	head := sim.Commit("acme/api", "main")
	add := func(environment string) int64 {
		d, err := s.CreateDeployment("acme/api", sim.NewDeployment{Ref: "main", Environment: environment})
		if err != nil {
			t.Fatal(err)
		}

		return d.ID
	}

	oldest := add("a & b")
	for range 120 {
		add("a & b")
	}
	newest := add("a & b")
	add("staging")
	s.Push("acme/api", "main", "")
	add("a & b")

	c, in := newClient(t, o), deployment.Source{Repository: req.Repository}
	found, err := c.FindDeployments(t.Context(), in, head, "a & b")
	if err != nil || len(found) != 122 {
		t.Fatalf("got %d deployments (%v), want 122", len(found), err)
	}
	for i, want := range map[int]int64{0: newest, 121: oldest} {
		if item, err := parseDeploymentItem(found[i]); err != nil || item.ID != want {
			t.Errorf("number %d: got deployment %d (%v), want %d", i, item.ID, err, want)
		}
	}

	if found, err := c.FindDeployments(t.Context(), in, head, "qa"); err != nil || len(found) != 0 {
		t.Errorf("another environment: got %v (%v), want none", found, err)
	}
	if _, err := c.FindDeployments(t.Context(), in, "main", "qa"); err == nil {
		t.Error("a branch in place of a commit: got no error")
	}
}

// What was read counts, and an error says that more may exist.
func TestFindDeployments_IncompleteIsAnError(t *testing.T) {
	first := `{"id":9,"sha":"` + sha + `","ref":"main","environment":"qa"}`
	second := `{"id":8,"sha":"` + sha + `","ref":"main","environment":"qa"}`
	tests := []struct {
		name   string
		page2  int // status
		answer func(page string) string
		want   int
		err    string
	}{
		{
			name:   "later page fails",
			page2:  502,
			answer: func(string) string { return "[" + first + "]" },
			want:   1,
			err:    "502",
		},
		{
			name:  "unreadable item",
			page2: 200,
			answer: func(p string) string {
				return map[string]string{"1": "[{}," + first + "]", "2": "[" + second + "]"}[p]
			},
			want: 2,
			err:  "without id",
		},
		{
			name:   "seen twice",
			page2:  200,
			answer: func(string) string { return "[" + first + "]" },
			want:   1,
			err:    "more than 1000",
		},
		{name: "no list", page2: 200, answer: func(string) string { return "" }, err: "no list"},
		{name: "null", page2: 200, answer: func(string) string { return "null" }, err: "no list"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClientWith(t, func(w http.ResponseWriter, r *http.Request) {
				page := r.URL.Query().Get("page")
				if page == "1" || tt.want == 1 {
					next := map[string]int{"1": 2}[page]
					if next == 0 {
						_, _ = fmt.Sscan(page, &next)
						next++
					}

					linkNextPage(w, r, next)
				}
				if page != "1" {
					w.WriteHeader(tt.page2)
				}
				_, _ = io.WriteString(w, tt.answer(page))
			})

			found, err := c.FindDeployments(t.Context(), source, sha, "qa")
			if len(found) != tt.want || err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %d deployments and %v, want %d and %q", len(found), err, tt.want, tt.err)
			}
		})
	}
}
