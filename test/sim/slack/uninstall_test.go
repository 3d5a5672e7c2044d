package slack

import (
	"net/http"
	"testing"

	goslack "github.com/slack-go/slack"
)

// TestServer_Uninstall checks that an app that was uninstalled may do nothing and is sent nothing, and that it needs
// its new token, and an invitation into each channel, once it is installed again.
func TestServer_Uninstall(t *testing.T) {
	s := start(t, Options{})
	startApp(t, s, func(w http.ResponseWriter, _ *http.Request, _ []byte) {})
	api := client(t, s)
	ctx := limitedContext(t)
	post := func() error {
		_, _, err := api.PostMessageContext(ctx, deploys, goslack.MsgOptionText("hello", false))
		return err
	}
	if err := post(); err != nil {
		t.Fatal(err)
	}

	sent, err := s.Uninstall()
	if err != nil || len(sent) != 2 {
		t.Fatalf("got %d events, %v, want 2", len(sent), err)
	}
	if err := post(); err == nil || err.Error() != "account_inactive" {
		t.Errorf("post: got %v, want account_inactive", err)
	}
	if _, err := s.Slash(alice, deploys, "/deploy", "api"); err == nil {
		t.Error("got a command of an app that is not installed sent")
	}
	if d, err := s.HomeOpened(alice); err != nil || d.ID != 0 {
		t.Errorf("got event %d, %v, want nothing sent to an app that is not installed", d.ID, err)
	}

	again := s.Reinstall()
	if err := post(); err == nil || err.Error() != "account_inactive" {
		t.Errorf("post with the old token: got %v, want account_inactive", err)
	}
	s.options.Token = again.Token
	api = client(t, s)
	if err := post(); err == nil || err.Error() != "not_in_channel" {
		t.Errorf("post before an invitation: got %v, want not_in_channel", err)
	}
	if _, err := s.Invite(deploys); err != nil {
		t.Fatal(err)
	}
	if err := post(); err != nil {
		t.Errorf("post after the invitation: got %v, want success", err)
	}
}
