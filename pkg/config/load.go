package config

import (
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/kelseyhightower/envconfig"

	"github.com/seraph-deploy/seraph/pkg/route"
)

// Problems is everything wrong with a configuration, one line each: the variable or file:line, what
// is wrong, what would be right.
type Problems []string

// Error lists them, one a line.
func (p Problems) Error() string { return strings.Join(p, "\n") }

// reader collects the configuration and what is wrong with it.
type reader struct {
	env      environment
	problems Problems
	warnings []string
}

func (r *reader) wrong(name, format string, args ...any) {
	r.problems = append(r.problems, Prefix+name+": "+fmt.Sprintf(format, args...))
}

// Load reads the process's environment. The error is Problems, or nil.
func Load() (*Config, error) {
	r := &reader{}
	if err := envconfig.Process("", &r.env); err != nil {
		// only plain text is read, so this cannot happen; its own text would hold values
		return nil, Problems{"the environment cannot be read"}
	}

	r.files()
	r.unknown(os.Environ())
	c := r.config()
	if len(r.problems) > 0 {
		return nil, r.problems
	}

	c.Warnings = r.warnings
	return c, nil
}

// Variables lists every variable that is read, but for the _FILE forms of secrets.
func Variables() []Variable {
	t := reflect.TypeFor[environment]()
	list := make([]Variable, t.NumField())
	for i := range list {
		f := t.Field(i)
		list[i] = Variable{
			Name:    f.Tag.Get("envconfig"),
			Default: f.Tag.Get("default"),
			Secret:  f.Tag.Get("secret") == "true",
		}
	}

	return list
}

// files reads the secrets that are given as files, and gives what is set to nothing its default.
func (r *reader) files() {
	v := reflect.ValueOf(&r.env).Elem()
	for i, known := range Variables() {
		f := v.Field(i)
		if strings.TrimSpace(f.String()) == "" {
			f.SetString(known.Default)
		}
		if known.Secret {
			r.file(known, f)
		}
	}
}

func (r *reader) file(known Variable, f reflect.Value) {
	name := strings.TrimPrefix(known.Name, Prefix)
	path := os.Getenv(known.Name + "_FILE")
	if path == "" {
		return
	}
	if strings.TrimSpace(os.Getenv(known.Name)) != "" {
		r.wrong(name, "both it and %s_FILE are set: set one of them", known.Name)
		return
	}

	text, err := os.ReadFile(path)
	if err != nil {
		r.wrong(name+"_FILE", "the file cannot be read: %v", err)
		return
	}

	value := strings.TrimRight(string(text), "\r\n")
	if strings.TrimSpace(value) == "" {
		r.wrong(name+"_FILE", "the file is empty")
		return
	}
	if isList(known.Name) {
		value = strings.ReplaceAll(strings.ReplaceAll(value, "\r\n", ","), "\n", ",")
	}

	f.SetString(value)
}

// isList says whether new lines separate elements in the variable's file.
func isList(name string) bool {
	return strings.HasSuffix(name, "_SECRETS") || strings.HasSuffix(name, "_TOKENS")
}

// unknown warns about names with the prefix that mean nothing.
func (r *reader) unknown(environ []string) {
	known := map[string]bool{}
	var names []string
	for _, v := range Variables() {
		known[v.Name] = true
		names = append(names, v.Name)
		if v.Secret {
			known[v.Name+"_FILE"] = true
		}
	}

	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, Prefix) || known[name] || injected(name) {
			continue
		}

		warning := name + " is not known and is ignored"
		if near := route.Nearest(name, names); near != "" {
			warning += "; did you mean " + near + "?"
		}

		r.warnings = append(r.warnings, warning)
	}
}
