package main

import (
	"fmt"

	"github.com/spf13/cobra"

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

func (p *program) routesCommand() *cobra.Command {
	routes := &cobra.Command{
		Use:     "routes schema",
		Short:   "print the JSON schema of the routes file",
		Example: "seraph routes schema > routes.schema.json",
	}
	routes.AddCommand(&cobra.Command{
		Use:     "schema",
		Short:   "print the JSON schema of the routes file",
		Long:    "Print the JSON schema of the routes file. Editors use it to complete and check what you write.",
		Example: "seraph routes schema > routes.schema.json",
		RunE:    func(*cobra.Command, []string) error { return p.printRoutesSchema() },
	})
	return routes
}

func (p *program) printRoutesSchema() error {
	_, err := fmt.Fprint(p.stdout, api.RoutesSchema)
	return err
}
