package control

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/seraph-deploy/seraph/test/sim/github"
)

// TestControl_Facts sets facts and reads them from GitHub.
func TestControl_Facts(t *testing.T) {
	b := setup(t)
	code, got := b.post(
		t,
		"/facts",
		`{"repository":"acme/web","push":true,"roles":{"alice":"admin"},"teams":{"acme/sre":{"alice":"active"}},
		"statuses":{"ci":"success"},"checks":{"build":"failure","slow":"queued"},"required":["ci"],"rulesets":["build"]}`,
	)

	if code != 200 || got["sha"] == github.Commit("acme/web", "main") {
		t.Fatalf("got %d %v, want 200 and a new commit", code, got)
	}

	for path, part := range map[string]string{
		"/repos/acme/web/collaborators/alice/permission":             `"role_name":"admin"`,
		"/orgs/acme/teams/sre/memberships/alice":                     `"state":"active"`,
		fmt.Sprintf("/repos/acme/web/commits/%v/status", got["sha"]): `"state":"success"`,
		"/repos/acme/web/commits/main/check-runs?check_name=build":   `"conclusion":"failure"`,
		"/repos/acme/web/commits/main/check-runs?check_name=slow":    `"status":"queued"`,
		"/repos/acme/web/branches/main":                              `"contexts":["ci"]`,
		"/repos/acme/web/rules/branches/main":                        `"context":"build"`,
	} {
		t.Run(path, func(t *testing.T) {
			if body := b.get(t, path); !strings.Contains(body, part) {
				t.Errorf("got %s, want %s", body, part)
			}
		})
	}
}

func (b fixture) get(t *testing.T, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", b.github.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}

	req.Header.Set("Authorization", "Bearer "+github.DefaultToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}

	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}
