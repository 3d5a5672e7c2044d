package deploy

import (
	"errors"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/config"
)

// variables has the names of the variables that Seraph reads. The value is true for secrets, which can also
// be set as NAME_FILE.
var variables = secretByName(config.Variables())

func secretByName(list []config.Variable) map[string]bool {
	all := map[string]bool{}
	for _, v := range list {
		all[v.Name] = v.Secret
	}
	return all
}

// injectedNames are the names of variables that Kubernetes sets for a Service called seraph.
var injectedNames = []string{"SERAPH_PORT", "SERAPH_SERVICE_HOST"}

var variableName = regexp.MustCompile(`\bSERAPH_[A-Z0-9_]*[A-Z0-9]\b`)

// known reports whether Seraph reads a variable of that name, or Kubernetes sets it.
func known(name string) bool {
	if _, ok := variables[name]; ok || slices.Contains(injectedNames, name) {
		return true
	}

	plain, ok := strings.CutSuffix(name, "_FILE")
	return ok && variables[plain]
}

// TestVariables_Exist checks that Seraph reads every variable that deploy/ and README.md name.
func TestVariables_Exist(t *testing.T) {
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

// configurationPage is the page with the table of all variables.
const configurationPage = "deploy/docs/configuration.md"

// setting is one row of the configuration table: the name, whether it is marked s, and the cell of
// its default.
type setting struct {
	name     string
	secret   bool
	standard string
}

var settingRow = regexp.MustCompile("(?m)^\\| `(SERAPH_[A-Z_]+)`( s)? \\| ([^|]*)\\|")

// TestConfiguration_EqualsCode compares the configuration table with the code: it has every variable in the
// same order, with its default, and "required" exactly where a start without it fails.
func TestConfiguration_EqualsCode(t *testing.T) {
	var got, want []setting
	for _, cell := range settingRow.FindAllStringSubmatch(read(t, configurationPage), -1) {
		got = append(got, setting{name: cell[1], secret: cell[2] != "", standard: strings.TrimSpace(cell[3])})
	}

	required := requiredNames(t)
	for _, v := range config.Variables() {
		row := setting{name: v.Name, secret: v.Secret}
		if v.Default != "" {
			row.standard = "`" + v.Default + "`"
		}
		if required[v.Name] {
			row.standard = "required"
		}

		want = append(want, row)
	}

	if diff := cmp.Diff(want, got, cmp.AllowUnexported(setting{})); diff != "" {
		t.Errorf("the table in %s (+) differs from the code (-):\n%s", configurationPage, diff)
	}
}

// requiredNames returns the variables that Load reports as required in an empty environment.
func requiredNames(t *testing.T) map[string]bool {
	t.Helper()
	for _, v := range config.Variables() {
		t.Setenv(v.Name, "")
		t.Setenv(v.Name+"_FILE", "")
	}

	_, err := config.Load()
	var problems config.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("empty environment: got %v, want problems", err)
	}

	names := map[string]bool{}
	for _, problem := range problems {
		if name, rest, _ := strings.Cut(problem, ": "); strings.HasPrefix(rest, "required: ") {
			names[name] = true
		}
	}

	return names
}

// TestExampleEnv_PlainLines checks that shells, Docker and systemd read the lines of deploy/example.env
// alike, and that no secret has a value.
func TestExampleEnv_PlainLines(t *testing.T) {
	plain := regexp.MustCompile(`^#?SERAPH_[A-Z_]+=[A-Za-z0-9:/._,-]*$`)
	for line := range strings.Lines(read(t, "deploy/example.env")) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "# ") {
			continue
		}
		if !plain.MatchString(line) {
			t.Errorf("deploy/example.env: got %q, want NAME=value without quotes and spaces", line)
		}

		name, value, _ := strings.Cut(strings.TrimPrefix(line, "#"), "=")
		if variables[name] && value != "" && name != "SERAPH_DATABASE_URL" {
			t.Errorf("deploy/example.env: got a value for %s, want none: it is a secret", name)
		}
	}
}
