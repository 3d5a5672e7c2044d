package route

import (
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// routeDefaults are the keys that each route has which does not set them itself.
type routeDefaults struct {
	keys mapping
	used map[string]bool // keys that a route has taken
}

// defaultKeys returns the keys that can be defaults. Which repository a route is for, and what it is called,
// it must say itself.
func defaultKeys() []string {
	return slices.DeleteFunc(slices.Clone(routeKeys), func(key string) bool {
		return key == "repository" || key == "repository_id" || key == "name"
	})
}

// routeDefaults reads the defaults of all routes.
func (r *reader) routeDefaults(m mapping) routeDefaults {
	keys, _ := r.optionalMapping(m, "defaults", defaultKeys()...)
	return routeDefaults{keys: keys, used: map[string]bool{}}
}

// merge adds the keys to a route that it does not set itself. A key is taken as a whole.
func (d *routeDefaults) merge(route mapping) {
	for _, key := range d.keys.order {
		if route.values[key] != nil {
			continue
		}

		route.values[key], route.keys[key] = d.keys.values[key], d.keys.keys[key]
		d.used[key] = true
	}
}

// checkUnused reads the defaults that no route takes as if the first route took them, so that what is
// wrong with them is found before one does.
func (r *reader) checkUnused(d routeDefaults, first ast.Node, t *Table) {
	unused := slices.DeleteFunc(slices.Clone(d.keys.order), func(key string) bool { return d.used[key] })
	if len(unused) == 0 {
		return
	}

	var ignored reader
	of, ok := ignored.mapping(first, "", nil)
	if !ok {
		return
	}

	m := mapping{node: of.node, values: map[string]ast.Node{}, keys: map[string]ast.Node{}, order: of.order}
	for _, key := range []string{"repository", "environment"} {
		if of.values[key] != nil {
			m.values[key], m.keys[key] = of.values[key], of.keys[key]
		}
	}
	for _, key := range unused {
		m.values[key], m.keys[key] = d.keys.values[key], d.keys.keys[key]
	}

	r.routeOf(m, t)
}
