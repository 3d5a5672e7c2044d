package slack

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/url"
	"strings"
)

// errUnreadable says that a body is not what Slack sends.
var errUnreadable = errors.New("the body is neither an event, nor an interaction, nor a slash command")

// ParseIncoming reads the body of a request, whose signature the caller has verified; of a KindProbe, which does
// nothing, the caller need not verify it. The content type says whether the body is JSON (events) or a form (slash
// commands and interactions). A kind of event or interaction that is not known is KindIgnored; an error means that
// the body is not what Slack sends, and quotes nothing of it.
func ParseIncoming(contentType string, body []byte) (Incoming, error) {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return Incoming{}, errUnreadable
	}

	switch media {
	case "application/json":
		return parseEvent(body)
	case "application/x-www-form-urlencoded":
		return parseForm(body)
	default:
		return Incoming{}, errUnreadable
	}
}

// parseForm reads the fields of a form that came in the body. The query of the address is not signed and is never
// read.
func parseForm(body []byte) (Incoming, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return Incoming{}, errUnreadable
	}

	switch {
	case form.Has("payload"):
		return parseInteraction([]byte(form.Get("payload")))
	case form.Has("command"):
		return parseCommand(form)
	case form.Get("ssl_check") == "1":
		return Incoming{Kind: KindProbe}, nil
	default:
		return Incoming{}, errUnreadable
	}
}

// parseCommand reads a slash command (docs.slack.dev, "Implementing slash commands").
func parseCommand(form url.Values) (Incoming, error) {
	in := Incoming{
		Kind:        KindCommand,
		Team:        form.Get("team_id"),
		Enterprise:  form.Get("enterprise_id"),
		User:        form.Get("user_id"),
		UserTeam:    form.Get("team_id"), // only people of the workspace have its commands
		Channel:     form.Get("channel_id"),
		Command:     strings.ToLower(form.Get("command")),
		Text:        normalizeText(form.Get("text")),
		TriggerID:   Secret(form.Get("trigger_id")),
		ResponseURL: Secret(form.Get("response_url")),
	}
	if in.User == "" || in.TriggerID == "" {
		return ignored("nobody typed it"), nil
	}

	in.RequestKey = triggerKey(in.TriggerID)
	return in, nil
}

// parseInteraction reads what people did with buttons and modals (docs.slack.dev, "Interaction payloads").
func parseInteraction(payload []byte) (Incoming, error) {
	var kind struct{ Type string }
	if err := decode(payload, &kind); err != nil {
		return Incoming{}, err
	}

	switch kind.Type {
	case "block_actions", "view_submission":
	case "":
		return Incoming{}, errUnreadable
	default: // of which the fields differ
		return ignored("an interaction of the type " + typeName(kind.Type)), nil
	}

	var p interaction
	if err := decode(payload, &p); err != nil {
		return Incoming{}, err
	}

	in := Incoming{
		Team:        p.Team.ID,
		Enterprise:  p.Enterprise.ID,
		User:        p.User.ID,
		UserTeam:    p.User.TeamID,
		TriggerID:   p.TriggerID,
		ResponseURL: p.ResponseURL,

		ViewID:          p.View.ID,
		ViewHash:        p.View.Hash,
		ViewCallback:    p.View.CallbackID,
		PrivateMetadata: p.View.PrivateMetadata,
	}

	switch {
	case in.User == "" || in.TriggerID == "":
		return ignored("nobody did it"), nil
	case kind.Type == "view_submission":
		in.Kind = KindSubmit
		p.addSubmit(&in)
	case len(p.Actions) == 0:
		return ignored("nothing was pressed"), nil
	default:
		in.Kind = KindClick
		p.addClick(&in)
	}

	in.RequestKey = triggerKey(in.TriggerID)
	return in, nil
}

// interaction is the part that is read of block_actions and view_submission.
type interaction struct {
	Team       struct{ ID string }
	Enterprise struct{ ID string }
	User       struct {
		ID     string
		TeamID string `json:"team_id"`
	}
	TriggerID   Secret `json:"trigger_id"`
	ResponseURL Secret `json:"response_url"`

	Container struct {
		MessageTS   string `json:"message_ts"`
		ThreadTS    string `json:"thread_ts"`
		ChannelID   string `json:"channel_id"`
		IsEphemeral bool   `json:"is_ephemeral"`
	}
	Channel struct{ ID string }
	Message struct {
		TS       string
		ThreadTS string `json:"thread_ts"`
		Team     string
	}
	Actions []struct {
		ActionID       string `json:"action_id"`
		BlockID        string `json:"block_id"`
		Value          string
		SelectedOption struct{ Value string } `json:"selected_option"`
	}

	View struct {
		ID              string
		Hash            string
		CallbackID      string `json:"callback_id"`
		PrivateMetadata string `json:"private_metadata"`
		InstalledTeam   string `json:"app_installed_team_id"`
		State           struct {
			Values map[string]map[string]entered
		}
	}
}

// entered is what was typed or chosen in one element of a modal.
type entered struct {
	Value          string
	SelectedOption struct{ Value string } `json:"selected_option"`
}

// addClick adds what was pressed, and where. People of another workspace who see the message can press it, too:
// then the team of the payload may be theirs, and the message's is the one in which this app posted it.
func (p *interaction) addClick(in *Incoming) {
	if p.Message.Team != "" {
		in.Team = p.Message.Team
	}
	if in.UserTeam == "" {
		in.UserTeam = p.Team.ID
	}

	in.Channel = firstOf(p.Container.ChannelID, p.Channel.ID)
	in.MessageTS = firstOf(p.Container.MessageTS, p.Message.TS)
	in.Thread = firstOf(p.Container.ThreadTS, p.Message.ThreadTS)
	in.Ephemeral = p.Container.IsEphemeral

	pressed := p.Actions[0]
	in.ActionID, in.BlockID = pressed.ActionID, pressed.BlockID
	in.ActionValue = firstOf(pressed.Value, pressed.SelectedOption.Value)
}

// addSubmit adds what was typed. The view names the workspace in which the app is installed, also where somebody of
// another one has opened it.
func (p *interaction) addSubmit(in *Incoming) {
	in.Team = firstOf(p.View.InstalledTeam, p.Team.ID)
	if in.UserTeam == "" {
		in.UserTeam = p.Team.ID
	}

	in.Values = make(map[string]string, len(p.View.State.Values))
	for block, elements := range p.View.State.Values {
		for _, element := range elements { // one: an input block has one element
			in.Values[block] = firstOf(element.Value, element.SelectedOption.Value)
		}
	}
}

// ignored is an Incoming for which there is nothing to do.
func ignored(why string) Incoming { return Incoming{Kind: KindIgnored, Ignored: why} }

// decode reads JSON. Its error quotes nothing of it.
func decode(data []byte, into any) error {
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%w: the JSON cannot be read", errUnreadable)
	}
	return nil
}

// triggerKey is the RequestKey of what somebody did. The trigger id itself is a secret.
func triggerKey(trigger Secret) string { return "trigger:" + digest(trigger.Reveal()) }

// key is a RequestKey made of parts: at most 100 visible ASCII characters, as Slack's ids are.
func key(parts ...string) string {
	all := strings.Join(parts, ":")
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if len(all) > 100 || strings.ContainsFunc(all, odd) {
		return parts[0] + ":" + digest(all)
	}
	return all
}

// digest is the first half of a SHA-256 hash: 32 hexadecimal digits.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
