package deploy

import (
	"context"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// apiPage is the page with one curl line for each operation of the API.
const apiPage = "deploy/docs/api.md"

// signedByVendors are the operations that only GitHub, CircleCI and Slack can call, because a request must be
// signed.
var signedByVendors = []string{"githubWebhook", "githubWebhookHeaven", "circleciWebhook", "slackWebhook"}

// openedInBrowsers are the pages that people open.
var openedInBrowsers = []string{"openLink", "loginCallback"}

// placeholders replaces variables and commands as the shell would.
var placeholders = strings.NewReplacer(
	"\\\n", " ",
	"$(git rev-parse HEAD)", strings.Repeat("a", 40),
	"$SERAPH", "http://127.0.0.1:8080",
	"$TOKEN", "token",
)

var (
	shellBlock = regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```$")
	shellWord  = regexp.MustCompile(`'[^']*'|"[^"]*"|[^\s'"]+`)
)

// description returns the OpenAPI description and a router of its operations.
func description(t *testing.T) (*openapi3.T, routers.Router) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(root, "api/openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}

	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}

	return doc, router
}

// curlLines returns the curl commands of a page that call Seraph.
func curlLines(t *testing.T, page string) []string {
	t.Helper()
	var lines []string
	for _, block := range shellBlock.FindAllStringSubmatch(read(t, page), -1) {
		for line := range strings.Lines(placeholders.Replace(block[1])) {
			if strings.HasPrefix(line, "curl ") && strings.Contains(line, "127.0.0.1:8080") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}

	return lines
}

// curlRequest makes the request that a curl command sends.
func curlRequest(t *testing.T, line string) *http.Request {
	t.Helper()
	method, url, body, header := http.MethodGet, "", "", http.Header{}
	words := shellWord.FindAllString(line, -1)[1:]
	for i := 0; i < len(words); i++ {
		value := func() string {
			i++
			return strings.Trim(words[i], `'"`)
		}

		switch words[i] {
		case "-X":
			method = value()
		case "-d":
			body = value()
		case "-H":
			name, text, _ := strings.Cut(value(), ": ")
			header.Set(name, text)
		default:
			url = strings.Trim(words[i], `"`)
		}
	}

	r, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}

	r.Header = header
	if body == "" {
		r.Body = http.NoBody
	}

	return r
}

// TestPages_CurlLines compares each curl command with the description of the API: its path, query, headers
// and body.
func TestPages_CurlLines(t *testing.T) {
	_, router := description(t)
	options := &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}
	for _, page := range pages() {
		for _, line := range curlLines(t, page) {
			r := curlRequest(t, line)
			route, params, err := router.FindRoute(r)
			if err != nil {
				t.Errorf("%s: %s\nis not in the description: %v", page, line, err)
				continue
			}

			err = openapi3filter.ValidateRequest(context.Background(), &openapi3filter.RequestValidationInput{
				Request:    r,
				Route:      route,
				PathParams: params,
				Options:    options,
			})
			if err != nil {
				t.Errorf("%s: %s\ndiffers from the description: %v", page, line, err)
			}

			isAPI := strings.HasPrefix(r.URL.Path, "/api/")
			if isAPI && !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
				t.Errorf("%s: %s\nhas no bearer token", page, line)
			}
		}
	}
}

// TestAPI_CurlLinesActAsTheToken checks that no curl command names the person who asks: the page has the
// reader make a token of scope admin, with which Seraph answers 403 to that.
func TestAPI_CurlLinesActAsTheToken(t *testing.T) {
	for _, line := range curlLines(t, apiPage) {
		if strings.Contains(line, `"actor":`) || strings.Contains(line, `"person":`) {
			t.Errorf("%s: %s\nneeds a token of scope behalf", apiPage, line)
		}
	}
}

// TestAPI_ShowsEveryOperation checks that the API's page has a curl command for each operation of the
// description.
func TestAPI_ShowsEveryOperation(t *testing.T) {
	doc, router := description(t)
	shown := map[string]bool{}
	for _, line := range curlLines(t, apiPage) {
		route, _, err := router.FindRoute(curlRequest(t, line))
		if err != nil {
			continue // TestPages_CurlLines reports it
		}

		shown[route.Operation.OperationID] = true
	}

	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			id := operation.OperationID
			elsewhere := slices.Contains(signedByVendors, id) || slices.Contains(openedInBrowsers, id)
			if !shown[id] && !elsewhere {
				t.Errorf("%s has no curl command for %s %s", apiPage, method, path)
			}
		}
	}
}

// TestRules_ReasonCodes compares the list of reason codes with the description of the API.
func TestRules_ReasonCodes(t *testing.T) {
	doc, _ := description(t)
	_, list, ok := strings.Cut(read(t, "deploy/docs/rules.md"), "## Reason codes\n")
	if !ok {
		t.Fatal("got no list of reason codes in rules.md")
	}

	_, list, _ = strings.Cut(list, ": `")
	list, _, _ = strings.Cut(list, "`")

	got := strings.Fields(list)
	var want []string
	for _, code := range doc.Components.Schemas["Code"].Value.Enum {
		want = append(want, code.(string))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestDescription_NoMergeKeys checks that tools for YAML 1.2 can read the description: they do not know the
// merge keys of YAML 1.1.
func TestDescription_NoMergeKeys(t *testing.T) {
	for i, line := range strings.Split(read(t, "api/openapi.yaml"), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "<<:") {
			t.Errorf("api/openapi.yaml:%d has a merge key: write the properties out", i+1)
		}
	}
}
