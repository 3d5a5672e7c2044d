package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/seraph-deploy/seraph/pkg/client"
	"github.com/seraph-deploy/seraph/pkg/config"
)

func (c *commands) healthCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health",
		Short: "ask whether the service is ready",
		Long: "Ask the service at SERAPH_API_URL whether it is ready; no token is needed. This is for health\n" +
			"checks in the container, where no other program can ask.",
		Example: "seraph health",
		RunE: func(cmd *cobra.Command, _ []string) error {
			defaults, source, err := c.healthDefaults()
			if err != nil {
				return err
			}

			base, err := config.LoadAPIURL(defaults)
			if err != nil {
				return err
			}

			ctx, stop := c.interruptible(cmd.Context())
			defer stop()
			ctx, cancel := context.WithTimeout(ctx, c.o.pace.health)
			defer cancel()
			s := c.newSession(client.Options{URL: base}, source)
			answer, err := s.client.Ready(ctx)
			if err != nil {
				return s.explainFailure(ctx, err)
			}

			_, err = fmt.Fprintln(c.o.Stdout, answer)
			return err
		},
	}
	c.addContextFlag(cmd)
	return cmd
}

func (c *commands) whoAmICommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "whoami",
		Short:   "say who you are to the service, and what you may do",
		Example: "seraph whoami",
	}
	return c.reading(cmd, func(ctx context.Context, s *session, _ []string) error {
		who, err := s.client.WhoAmI(ctx)
		if err != nil {
			return err
		}
		return s.print(who, func() {
			rows := [][]cell{
				plain("service:", s.url+" ("+s.source+")"),
				plain("token:", who.Token),
				plain("scope:", who.Scope),
			}
			if who.Person != nil {
				rows = append(rows, plain("person:", who.Person.Login+" (id "+strconv.FormatInt(who.Person.ID, 10)+")"))
			}
			s.out.table("", rows...)
		})
	})
}
