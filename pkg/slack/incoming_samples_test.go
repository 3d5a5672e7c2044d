package slack

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// payloadSamples are Slack's payloads by the names of their files.
func payloadSamples(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/samples/*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("got %d samples, %v", len(files), err)
	}

	all := map[string][]byte{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), "Payload.json")] = data
	}
	return all
}

// filled is a sample with a word in each text that Slack has blanked, and some set.
func filled(t *testing.T, sample []byte, set map[string]any) []byte {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(sample, &v); err != nil {
		t.Fatal(err)
	}

	fill(v)
	for path, value := range set {
		at := v
		parts := strings.Split(path, ".")
		for _, part := range parts[:len(parts)-1] {
			at = at[part].(map[string]any)
		}
		at[parts[len(parts)-1]] = value
	}

	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func fill(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			if inner == "" {
				v[k] = "x-" + k
			}
			fill(inner)
		}
	case []any:
		for i, inner := range v {
			if inner == "" {
				v[i] = "x"
			}
			fill(inner)
		}
	}
}

// TestParseIncoming_Samples reads Slack's own samples of payloads, which have the names of fields that Slack uses.
func TestParseIncoming_Samples(t *testing.T) {
	event := func(more map[string]any) map[string]any {
		set := map[string]any{"type": "event_callback"}
		for k, v := range more {
			set[k] = v
		}
		return set
	}
	human := map[string]any{"event.subtype": "", "event.bot_id": "", "event.app_id": "", "event.edited": nil}
	direct := map[string]any{"event.subtype": "", "event.bot_id": "", "event.app_id": "", "event.edited": nil, "event.channel_type": "im"}

	for name, c := range map[string]struct {
		set  map[string]any
		want Kind
	}{
		"AppMention":     {event(human), KindMention},
		"Message":        {event(direct), KindDirect},
		"MessageChanged": {event(nil), KindIgnored},
		"AppHomeOpened":  {event(map[string]any{"event.tab": "home"}), KindHome},
		"UserChange":     {event(nil), KindEvent},
		"ChannelShared":  {event(nil), KindEvent},
		"ChannelArchive": {event(nil), KindEvent},
		"GroupArchive":   {event(nil), KindEvent},
		"AppUninstalled": {event(nil), KindEvent},
		"TokensRevoked":  {event(nil), KindEvent},
		"AppRateLimited": {map[string]any{"type": "app_rate_limited"}, KindIgnored},
		"BlockAction":    {nil, KindClick},
		"ViewSubmission": {nil, KindSubmit},
		"ViewClosed":     {nil, KindIgnored},
	} {
		t.Run(name, func(t *testing.T) {
			sample, ok := payloadSamples(t)[name]
			if !ok {
				t.Fatal("there is no such sample")
			}

			contentType, body := jsonMedia, string(filled(t, sample, c.set))
			if !strings.Contains(body, `"event_id"`) && name != "AppRateLimited" {
				contentType, body = form, formOf("payload", body)
			}
			got := mustParse(t, contentType, body)
			if got.Kind != c.want {
				t.Fatalf("got %+v, want kind %s", got, c.want)
			}
			if c.want != KindIgnored && (got.Team == "" || got.RequestKey == "") {
				t.Errorf("got team %q and key %q", got.Team, got.RequestKey)
			}
		})
	}
}
