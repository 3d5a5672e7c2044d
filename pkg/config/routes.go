package config

import (
	"errors"
	"fmt"

	"github.com/seraph-deploy/seraph/pkg/route"
)

// routes reads the route table, which is either in a variable or in a file.
func (r *reader) routes() *route.Table {
	switch {
	case r.env.Routes != "" && r.env.RoutesFile != "":
		r.problem("ROUTES", "SERAPH_ROUTES_FILE is set too: leave one of them out")
		return nil
	case r.env.Routes == "" && r.env.RoutesFile == "":
		r.problem("ROUTES_FILE", "no routes: set it to the routes file, or set SERAPH_ROUTES to the routes themselves")
		return nil
	case r.env.Routes != "":
		return r.parseRoutes(r.env.Routes, Prefix+"ROUTES")
	}

	text, err := readTextFile(r.env.RoutesFile)
	if err != nil {
		r.problem("ROUTES_FILE", "%v", err)
		return nil
	}

	return r.parseRoutes(text, r.env.RoutesFile)
}

// parseRoutes parses the text of routes. name is where it is from.
func (r *reader) parseRoutes(text, name string) *route.Table {
	table, err := route.Parse([]byte(text), name, route.Options{TaskPrefix: r.env.TaskPrefix})
	var problems route.ParseError
	if errors.As(err, &problems) {
		for _, p := range problems {
			r.problems = append(r.problems, p.String())
		}
	}

	return table
}

// ReadRoutes reads the routes file again. The error is Problems, or nil. Routes in SERAPH_ROUTES cannot be
// read again, because nobody can change the environment of a process that runs.
func (c *Config) ReadRoutes() (*route.Table, error) {
	if c.RoutesFile == "" {
		return nil, Problems{Prefix + "ROUTES: the environment of a process that runs cannot be changed: " +
			"restart, or give the routes as a file in " + Prefix + "ROUTES_FILE"}
	}
	return readRoutes(c.RoutesFile, c.TaskPrefix)
}

// LoadRoutes reads a routes file, and from the environment only SERAPH_TASK_PREFIX. The error is Problems,
// or nil.
func LoadRoutes(file string) (*route.Table, error) {
	r := &reader{}
	if err := r.readEnvironment(); err != nil {
		return nil, err
	}

	r.problems = nil // they are about variables that are not used here
	prefix := r.taskPrefix()
	if len(r.problems) > 0 {
		return nil, r.problems
	}

	return readRoutes(file, prefix)
}

func readRoutes(file, taskPrefix string) (*route.Table, error) {
	text, err := readTextFile(file)
	if err != nil {
		return nil, Problems{fmt.Sprintf("%s: %v", file, err)}
	}

	r := &reader{env: environment{TaskPrefix: taskPrefix}}
	table := r.parseRoutes(text, file)
	if len(r.problems) > 0 {
		return nil, r.problems
	}

	return table, nil
}
