package slack

import (
	"encoding/json"
	"fmt"
	"net/url"
)

// Manifest is the description of the Slack app that an operator creates for this service: its commands, its
// scopes and the events that it gets. It follows version 1 of Slack's schema of app manifests.
type Manifest struct {
	Metadata struct {
		MajorVersion int `json:"major_version"`
	} `json:"_metadata"`
	DisplayInformation struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	} `json:"display_information"`
	Features    manifestFeatures `json:"features"`
	OAuthConfig struct {
		Scopes struct {
			Bot         []string `json:"bot"`
			BotOptional []string `json:"bot_optional"`
		} `json:"scopes"`
	} `json:"oauth_config"`
	Settings manifestSettings `json:"settings"`
}

type manifestFeatures struct {
	AppHome struct {
		HomeTabEnabled             bool `json:"home_tab_enabled"`
		MessagesTabEnabled         bool `json:"messages_tab_enabled"`
		MessagesTabReadOnlyEnabled bool `json:"messages_tab_read_only_enabled"`
	} `json:"app_home"`
	BotUser struct {
		DisplayName  string `json:"display_name"`
		AlwaysOnline bool   `json:"always_online"`
	} `json:"bot_user"`
	SlashCommands []slashCommand `json:"slash_commands"`
}

type slashCommand struct {
	Command      string `json:"command"`
	URL          string `json:"url"`
	Description  string `json:"description"`
	UsageHint    string `json:"usage_hint"`
	ShouldEscape bool   `json:"should_escape"` // people and channels arrive by their ids
}

type manifestSettings struct {
	EventSubscriptions struct {
		RequestURL string   `json:"request_url"`
		BotEvents  []string `json:"bot_events"`
	} `json:"event_subscriptions"`
	Interactivity struct {
		IsEnabled  bool   `json:"is_enabled"`
		RequestURL string `json:"request_url"`
	} `json:"interactivity"`
	OrgDeployEnabled     bool `json:"org_deploy_enabled"`
	SocketModeEnabled    bool `json:"socket_mode_enabled"`
	TokenRotationEnabled bool `json:"token_rotation_enabled"`
}

// Scopes are what the app must be allowed to do.
var Scopes = []string{
	"app_mentions:read",
	"channels:read",
	"chat:write",
	"commands",
	"groups:read",
	"im:history",
	"im:write",
	"users:read",
}

// OptionalScopes let the app look for a message that may have arrived before it posts it again. Without them it
// does not post again.
var OptionalScopes = []string{"channels:history", "groups:history"}

// botEvents are the events that the app gets.
var botEvents = []string{
	"app_home_opened",
	"app_mention",
	"app_uninstalled",
	"channel_archive",
	"channel_shared",
	"group_archive",
	"member_joined_channel",
	"message.im",
	"tokens_revoked",
	"user_change",
}

// NewManifest describes the app of the service at a public address, such as https://seraph.example.com.
func NewManifest(public *url.URL) Manifest {
	address := public.JoinPath("webhooks/slack").String()

	var m Manifest
	m.Metadata.MajorVersion = 1
	m.DisplayInformation.Name = "Seraph"
	m.DisplayInformation.Description = "Deploys from chat: ask, approve, watch, cancel and roll back."

	m.Features.AppHome.HomeTabEnabled = true
	m.Features.AppHome.MessagesTabEnabled = true
	m.Features.BotUser.DisplayName = "seraph"
	m.Features.BotUser.AlwaysOnline = true
	m.Features.SlashCommands = []slashCommand{
		{
			Command:      "/deploy",
			URL:          address,
			Description:  "Deploy, or ask anything else of Seraph",
			UsageHint:    "APP[@REF] to ENVIRONMENT [because REASON]",
			ShouldEscape: true,
		},
		{
			Command:      "/seraph",
			URL:          address,
			Description:  "Status, approvals, locks, rollbacks: /seraph help",
			UsageHint:    "status, why #ID, approve #ID, cancel #ID, rollback APP in ENVIRONMENT, lock, link, help",
			ShouldEscape: true,
		},
	}

	m.OAuthConfig.Scopes.Bot = Scopes
	m.OAuthConfig.Scopes.BotOptional = OptionalScopes
	m.Settings.EventSubscriptions.RequestURL = address
	m.Settings.EventSubscriptions.BotEvents = botEvents
	m.Settings.Interactivity.IsEnabled = true
	m.Settings.Interactivity.RequestURL = address
	return m
}

// JSON writes the manifest for people and for Slack.
func (m Manifest) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the manifest: %w", err)
	}
	return append(text, '\n'), nil
}

// CreateURL is the page of Slack that creates the app from the manifest.
func (m Manifest) CreateURL() (string, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("write the manifest: %w", err)
	}
	return "https://api.slack.com/apps?" + url.Values{"new_app": {"1"}, "manifest_json": {string(text)}}.Encode(), nil
}
