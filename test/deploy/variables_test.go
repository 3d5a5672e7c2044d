package deploy

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// variables are the names that Seraph reads. Those with true are secrets, which may also be given as NAME_FILE.
var variables = map[string]bool{
	"SERAPH_ADDR": false, "SERAPH_METRICS_ADDR": false, "SERAPH_PUBLIC_URL": false, "SERAPH_DATABASE_URL": true,
	"SERAPH_GITHUB_WEBHOOK_SECRETS": true, "SERAPH_GITHUB_TOKEN": true, "SERAPH_GITHUB_APP_ID": false,
	"SERAPH_GITHUB_APP_PRIVATE_KEY": true, "SERAPH_GITHUB_API_URL": false, "SERAPH_GITHUB_WEB_URL": false,
	"SERAPH_GITHUB_HOOK_SOURCES": false, "SERAPH_TRUSTED_PROXIES": false, "SERAPH_CIRCLECI_TOKEN": true,
	"SERAPH_CIRCLECI_API_URL": false, "SERAPH_CIRCLECI_APP_URL": false, "SERAPH_CIRCLECI_WEBHOOK_SECRETS": true,
	"SERAPH_CIRCLECI_TIMEOUT": false, "SERAPH_LOOKUP_GRACE": false, "SERAPH_WORKFLOW_GRACE": false, "SERAPH_START_TIMEOUT": false,
	"SERAPH_POLL_MIN": false, "SERAPH_POLL_MAX": false, "SERAPH_GITHUB_WRITES_PER_MINUTE": false,
	"SERAPH_CIRCLECI_READS_PER_SECOND": false, "SERAPH_ROUTES": false, "SERAPH_ROUTES_FILE": false, "SERAPH_API_TOKENS": true,
	"SERAPH_RECOVER_MAX_AGE": false, "SERAPH_LOG_LEVEL": false, "SERAPH_LOG_FORMAT": false, "SERAPH_SHUTDOWN_DELAY": false,
	"SERAPH_SHUTDOWN_GRACE": false,
}

// injected are names that are not ours: Kubernetes sets them beside a Service called seraph.
var injected = []string{"SERAPH_PORT", "SERAPH_SERVICE_HOST"}

var variableName = regexp.MustCompile(`\bSERAPH_[A-Z0-9_]*[A-Z0-9]\b`)

// known says whether Seraph reads a variable of that name.
func known(name string) bool {
	if _, ok := variables[name]; ok || slices.Contains(injected, name) {
		return true
	}
	plain, ok := strings.CutSuffix(name, "_FILE")
	return ok && variables[plain]
}

// TestVariablesExist wants that every variable named in deploy/ and README.md is one that Seraph reads.
func TestVariablesExist(t *testing.T) {
	names := []string{"README.md"}
	err := filepath.WalkDir(filepath.Join(root, "deploy"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		names = append(names, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		for _, variable := range variableName.FindAllString(read(t, name), -1) {
			if !known(variable) {
				t.Errorf("%s names %s, which Seraph does not read", name, variable)
			}
		}
	}
}

// TestReadmeHasEveryVariable wants a row of the configuration table for each, marked s where it is a secret.
func TestReadmeHasEveryVariable(t *testing.T) {
	readme := read(t, "README.md")
	for name, secret := range variables {
		mark := ""
		if secret {
			mark = " s"
		}
		if !strings.Contains(readme, "\n| `"+name+"`"+mark+" |") {
			t.Errorf("README.md has no row that begins | `%s`%s |", name, mark)
		}
	}
}

// TestExampleEnv wants lines that shells, Docker and systemd read alike, and no value for a secret.
func TestExampleEnv(t *testing.T) {
	plain := regexp.MustCompile(`^#?SERAPH_[A-Z_]+=[A-Za-z0-9:/._,-]*$`)
	for line := range strings.Lines(read(t, "deploy/example.env")) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "# ") {
			continue
		}
		if !plain.MatchString(line) {
			t.Errorf("deploy/example.env: %q is not NAME=value without quotes and spaces", line)
		}
		name, value, _ := strings.Cut(strings.TrimPrefix(line, "#"), "=")
		if variables[name] && value != "" && name != "SERAPH_DATABASE_URL" {
			t.Errorf("deploy/example.env gives %s a value; somebody would run with it", name)
		}
	}
}
