package main

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/seraph-deploy/seraph/pkg/slack"
)

func (p *program) slackCommand() *cobra.Command {
	group := &cobra.Command{
		Use:     "slack manifest",
		Short:   "print the manifest of the Slack app",
		Example: "seraph slack manifest --url https://seraph.example.com > manifest.json",
	}

	address := ""
	manifest := &cobra.Command{
		Use:   "manifest",
		Short: "print the manifest of the Slack app, and the link that creates it",
		Long: "Print the manifest of the Slack app that people use to deploy: its commands, scopes and events.\n" +
			"The link that creates the app from it is printed on stderr. Open it, and follow `seraph help slack`.",
		Example: "seraph slack manifest --url https://seraph.example.com > manifest.json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return p.printManifest(cmd, address) },
	}
	manifest.Flags().StringVar(&address, "url", "",
		"the `ADDRESS` at which Slack reaches this service, such as https://seraph.example.com")
	group.AddCommand(manifest)
	return group
}

// printManifest prints the manifest for the service at an address.
func (p *program) printManifest(cmd *cobra.Command, address string) error {
	public, err := url.Parse(address)
	if err != nil || public.Scheme != "https" || public.Host == "" || public.RawQuery != "" || public.User != nil {
		return mistake(cmd, errors.New("--url must be an address that begins with https://, such as "+
			"https://seraph.example.com: Slack calls no other"))
	}

	m := slack.NewManifest(public)
	text, err := m.JSON()
	if err != nil {
		return err
	}
	link, err := m.CreateURL()
	if err != nil {
		return err
	}

	if _, err := p.stdout.Write(text); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stderr, "Create the app from this manifest by opening\n\n%s\n\n"+
		"Slack can verify the address once Seraph runs there with the app's token and signing secret: "+
		"`seraph help slack`.\n", link)
	return err
}
