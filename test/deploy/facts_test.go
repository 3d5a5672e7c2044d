package deploy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// literals returns every string literal of pkg, without tests.
func literals(t *testing.T) []string {
	t.Helper()
	var all []string
	collect := func(n ast.Node) bool {
		literal, ok := n.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}

		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}

		all = append(all, text)
		return true
	}

	err := filepath.WalkDir(filepath.Join(root, "pkg"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}

		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}

		ast.Inspect(file, collect)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	return all
}

var (
	quotedCell = regexp.MustCompile(`(?m)^\| ([^|]*"[^|]*) \|`)
	quotation  = regexp.MustCompile(`"([^"]+)"`)
)

// TestFailures_QuoteRealMessages checks that the code contains every message that failures.md explains. An
// ellipsis stands for what varies: the parts before and after it must each be part of a string literal.
func TestFailures_QuoteRealMessages(t *testing.T) {
	code := strings.Join(literals(t), "\n")
	count := 0
	for _, cell := range quotedCell.FindAllStringSubmatch(read(t, "deploy/docs/failures.md"), -1) {
		for _, message := range quotation.FindAllStringSubmatch(strings.ReplaceAll(cell[1], "`", ""), -1) {
			count++
			text := strings.TrimPrefix(message[1], "Waiting for ") // the code adds what is waited for
			for part := range strings.SplitSeq(text, "…") {
				if part = strings.TrimSpace(part); !strings.Contains(code, part) {
					t.Errorf("failures.md explains %q, but no string in pkg contains %q", message[1], part)
				}
			}
		}
	}

	if count < 30 {
		t.Errorf("got %d messages, want the tables of failures.md", count)
	}
}

// TestAPI_ErrorCodes checks that the code uses each error code of the API's page.
func TestAPI_ErrorCodes(t *testing.T) {
	_, table, _ := strings.Cut(read(t, "deploy/docs/api.md"), "| status | codes |")
	codes := regexp.MustCompile("`([a-z]+(?:_[a-z]+)*)`").FindAllStringSubmatch(table, -1)
	if len(codes) < 20 {
		t.Fatalf("got %d codes, want the table of api.md", len(codes))
	}

	known := literals(t)
	for _, code := range codes {
		if code[1] != "behalf" && !slices.Contains(known, code[1]) {
			t.Errorf("api.md explains the code %q, which the code does not contain", code[1])
		}
	}
}

// TestOperate_Metrics compares the metrics on the page with those in the code.
func TestOperate_Metrics(t *testing.T) {
	name := regexp.MustCompile(`seraph_[a-z_]+`)
	metric := regexp.MustCompile(`^seraph_[a-z_]+$`)
	_, list, ok := strings.Cut(read(t, "deploy/docs/operate.md"), "All metrics: ")
	if !ok {
		t.Fatal("got no list of all metrics in operate.md")
	}

	list, _, _ = strings.Cut(list, ". ")

	got := name.FindAllString(list, -1)
	// What Slack's messages and windows are made of has names of the same form.
	others := []string{
		"seraph_card",
		"seraph_confirm",
		"seraph_force",
		"seraph_home",
		"seraph_reason",
		"seraph_text",
		"seraph_word",
	}
	var want []string
	for _, text := range literals(t) {
		if metric.MatchString(text) && !slices.Contains(others, text) {
			want = append(want, text)
		}
	}

	slices.Sort(got)
	slices.Sort(want)
	if want = slices.Compact(want); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestOperate_AlertsNameMetrics checks that each alert of the page is about a metric of its list, which
// TestOperate_Metrics compares with the code.
func TestOperate_AlertsNameMetrics(t *testing.T) {
	_, section, _ := strings.Cut(read(t, "deploy/docs/operate.md"), "| alert on | means |")
	alerts, list, ok := strings.Cut(section, "All metrics: ")
	if !ok {
		t.Fatal("got no alerts before the list of all metrics in operate.md")
	}

	list, _, _ = strings.Cut(list, ". ")
	name := regexp.MustCompile(`seraph_[a-z_]+`)
	known := name.FindAllString(list, -1)
	used := name.FindAllString(alerts, -1)
	for _, metric := range used {
		if !slices.Contains(known, metric) {
			t.Errorf("an alert is about %s, which is no metric", metric)
		}
	}
	if len(used) < 10 {
		t.Errorf("got %d metrics in the alerts, want the table of operate.md", len(used))
	}
}
