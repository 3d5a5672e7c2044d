package config

import (
	"os"
	"strings"
	"testing"
)

func TestConfig_ReadRoutes(t *testing.T) {
	file := writeFile(t, goodRoutes)
	c := load(t, map[string]string{"ROUTES": "", "ROUTES_FILE": file, "TASK_PREFIX": "ship"})

	for _, test := range []struct {
		name string
		text string
		want string // of the error; empty: the routes are good
	}{
		{name: "more routes", text: "routes: [{repository: acme/api}, {repository: acme/web}]"},
		{
			name: "several problems",
			text: "routes:\n- {repository: x}\n- {repository: acme/api, task: 'ship:lock'}",
			want: file + ":2: repository \"x\" must be OWNER/NAME\n" +
				file + ":3: task \"ship:lock\" is reserved for locks and never deploys",
		},
		{name: "not UTF-8", text: "\xff\xfe", want: file + ": the file is not text in UTF-8: save it as UTF-8"},
		{name: "with a byte order mark", text: byteOrderMark + goodRoutes},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}

			table, err := c.ReadRoutes()
			if test.want == "" && (err != nil || len(table.Routes()) == 0) {
				t.Errorf("got %v, %v, want routes", table, err)
			}
			if test.want != "" && (err == nil || err.Error() != test.want || table != nil) {
				t.Errorf("got %v, %v, want %s", table, err, test.want)
			}
		})
	}

	if got := len(c.Routes.Routes()); got != 1 {
		t.Errorf("got %d routes in the configuration, want it unchanged", got)
	}
}

func TestConfig_ReadRoutesOfTheEnvironment(t *testing.T) {
	_, err := load(t, map[string]string{"ROUTES": goodRoutes}).ReadRoutes()
	const want = "SERAPH_ROUTES: the environment of a process that runs cannot be changed: " +
		"restart, or give the routes as a file in SERAPH_ROUTES_FILE"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLoadRoutes_NeedsNothingElse(t *testing.T) {
	setEnvironment(t, map[string]string{"GITHUB_TOKEN": "", "POLL_MIN": "never"})
	if table, err := LoadRoutes(writeFile(t, goodRoutes)); err != nil || len(table.Routes()) != 1 {
		t.Errorf("got %v, %v, want one route", table, err)
	}

	setEnvironment(t, map[string]string{"TASK_PREFIX": "a*"})
	if _, err := LoadRoutes(writeFile(t, goodRoutes)); err == nil || !strings.HasPrefix(err.Error(), "SERAPH_TASK_PREFIX: ") {
		t.Errorf("got %v, want a problem with SERAPH_TASK_PREFIX", err)
	}
}
