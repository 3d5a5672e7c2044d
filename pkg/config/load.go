package config

import (
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/kelseyhightower/envconfig"

	"github.com/seraph-deploy/seraph/pkg/route"
)

// Problems is everything that is wrong with a configuration, one text each: the variable or
// file:line, what is wrong, and what would be right.
type Problems []string

// Error returns the problems, one a line.
func (p Problems) Error() string { return strings.Join(p, "\n") }

// reader collects the configuration and what is wrong with it.
type reader struct {
	env      environment
	problems Problems
	warnings []string
}

// problem adds a problem with a variable, which is named without the prefix.
func (r *reader) problem(name, format string, args ...any) {
	r.problems = append(r.problems, Prefix+name+": "+fmt.Sprintf(format, args...))
}

// Load reads the process's environment. The error is Problems, or nil.
func Load() (*Config, error) {
	r := &reader{}
	if err := r.readEnvironment(); err != nil {
		return nil, err
	}

	r.warnOfUnknown(os.Environ())
	c := r.config()
	if len(r.problems) > 0 {
		return nil, r.problems
	}

	c.Warnings = r.warnings
	return c, nil
}

// LoadDatabaseURL reads only SERAPH_DATABASE_URL, for what needs the database and nothing else. The error is Problems,
// or nil.
func LoadDatabaseURL() (Secret, error) {
	r := &reader{}
	if err := r.readEnvironment(); err != nil {
		return "", err
	}

	r.keepProblems("DATABASE_URL")
	database := r.database(r.env.DatabaseURL)
	if len(r.problems) > 0 {
		return "", r.problems
	}

	return database, nil
}

// Variables lists every variable that is read, except the _FILE forms of secrets.
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

// readEnvironment reads all variables, and the files that hold secrets. A variable that is empty gets
// its default. Only reading plain text can fail here, which it never does; the text of such an error
// would show values.
func (r *reader) readEnvironment() error {
	if err := envconfig.Process("", &r.env); err != nil {
		return Problems{"the environment cannot be read"}
	}

	v := reflect.ValueOf(&r.env).Elem()
	for i, known := range Variables() {
		f := v.Field(i)
		text, err := decode(f.String())
		if err != nil {
			r.problem(strings.TrimPrefix(known.Name, Prefix), "%v", err)
			continue
		}

		if known.Secret {
			text = r.secretText(known, text)
		}
		if strings.TrimSpace(text) == "" {
			text = known.Default
		}

		f.SetString(text)
	}

	return nil
}

// secretText returns the text of a secret, which may be given as a file instead.
func (r *reader) secretText(known Variable, text string) string {
	name := strings.TrimPrefix(known.Name, Prefix)
	if path := os.Getenv(known.Name + "_FILE"); path != "" {
		if strings.TrimSpace(os.Getenv(known.Name)) != "" { // text may be the default
			r.problem(name, "%s_FILE is set too: leave one of them out", known.Name)
			return text
		}

		name += "_FILE"
		text = r.secretFile(name, path, isList(known.Name))
	}

	if strings.ContainsFunc(text, isInvisible) {
		r.problem(name, "%v", errInvisible)
	}

	return text
}

// secretFile reads a file that holds a secret. In the file of a list, new lines separate the elements
// too.
func (r *reader) secretFile(name, path string, list bool) string {
	text, err := readTextFile(path)
	if err != nil {
		r.problem(name, "%v", err)
		return ""
	}

	text = strings.TrimRight(text, "\r\n")
	if strings.TrimSpace(text) == "" {
		r.problem(name, "the file is empty: write the secret into it")
		return ""
	}
	if list {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", ","), "\n", ",")
	}

	return text
}

// isList says whether a variable holds a list of secrets.
func isList(name string) bool {
	return strings.HasSuffix(name, "_SECRETS") || strings.HasSuffix(name, "_TOKENS")
}

// warnOfUnknown warns about names with the prefix that are not read.
func (r *reader) warnOfUnknown(environ []string) {
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
		if !strings.HasPrefix(name, Prefix) || known[name] || isInjected(name) {
			continue
		}

		warning := name + " is not known and is ignored"
		if near := route.Nearest(name, names); near != "" {
			warning += "; did you mean " + near + "?"
		}

		r.warnings = append(r.warnings, warning)
	}
}
