// Package api holds the descriptions of Seraph's interfaces that other programs read.
package api

import _ "embed" // for RoutesSchema

// RoutesSchema is the JSON schema of the routes file.
//
//go:embed routes.schema.json
var RoutesSchema string
