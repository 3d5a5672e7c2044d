package main

import (
	"context"
	"fmt"

	"github.com/seraph-deploy/seraph/api"
	"github.com/seraph-deploy/seraph/pkg/app"
	"github.com/seraph-deploy/seraph/pkg/config"
)

// checkRoutes checks a routes file, and nothing else.
func (p *program) checkRoutes(file string) error {
	table, err := config.LoadRoutes(file)
	if err != nil {
		return err
	}
	return p.printFindings(app.CheckRoutes(table))
}

func (p *program) routesCommand() *command {
	return &command{
		name:    "routes schema",
		short:   "print the JSON schema of the routes file",
		long:    "Print the JSON schema of the routes file, by which editors complete and check it while it is written.",
		example: "seraph routes schema > routes.schema.json",
		run:     func(context.Context, []string) error { return p.printRoutesSchema() },
	}
}

func (p *program) printRoutesSchema() error {
	_, err := fmt.Fprint(p.stdout, api.RoutesSchema)
	return err
}
