package slack

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNormalizeText(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"plain":                  {"deploy api to staging", "deploy api to staging"},
		"spaces around":          {"  deploy api\u00a0 ", "deploy api"},
		"entities":               {"a &lt;b&gt; &amp; c", "a <b> & c"},
		"entities are read once": {"&amp;lt;", "&lt;"},
		"link with a label":      {"deploy <http://api.example.com|api.example.com>", "deploy api.example.com"},
		"link without a label":   {"see <https://example.com/a?b=1&amp;c=2>", "see https://example.com/a?b=1&c=2"},
		"empty label":            {"<https://example.com|>", "https://example.com"},
		"mail":                   {"<mailto:a@example.com|a@example.com>", "a@example.com"},
		"mail without a label":   {"<mailto:a@example.com>", "a@example.com"},
		"telephone":              {"<tel:+15550100|+1 555 0100>", "+1 555 0100"},
		"person":                 {"hand over to <@U1>", "hand over to <@U1>"},
		"person with a name":     {"hand over to <@U1|mallory>", "hand over to <@U1>"},
		"channel with a name":    {"in <#C1|general>", "in <#C1>"},
		"everybody":              {"<!here> <!channel|channel>", "@here channel"},
		"group":                  {"<!subteam^S1|@oncall> <!subteam^S2>", "@oncall @subteam^S2"},
		"curved quotes":          {"because “it’s ‘done’”", `because "it's 'done'"`},
		"dashes":                 {"a–b—c−d‑e", "a-b-c-d-e"},
		"other spaces":           {"a\u202fb\u3000c\u2009d", "a b c d"},
		"invisible":              {"de\u200bploy\ufeff a\u00adpi\u2060", "deploy api"},
		"not closed":             {"a < b", "a < b"},
		"person typed":           {"&lt;@U1&gt;", "<@U1>"},
		"opened twice":           {"a <b <@U1|x>", "a <b <@U1>"},
		"closed only":            {"a > b", "a > b"},
		"broken encoding":        {"a\xffb", "a\uFFFDb"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := normalizeText(c.text); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestStripMention(t *testing.T) {
	for name, c := range map[string]struct{ text, user, want string }{
		"at the start":  {"<@UBOT> deploy api", "UBOT", "deploy api"},
		"at the end":    {"deploy api <@UBOT>", "UBOT", "deploy api"},
		"in the middle": {"don't <@UBOT> deploy api", "UBOT", "don't   deploy api"},
		"without space": {"<@UBOT>deploy api", "UBOT", "deploy api"},
		"others stay":   {"<@UBOT> hand over to <@U1>", "UBOT", "hand over to <@U1>"},
		"longer id":     {"<@UBOT2> deploy", "UBOT", "<@UBOT2> deploy"},
		"nobody":        {"<@> deploy", "", "<@> deploy"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := StripMention(c.text, c.user); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func FuzzNormalizeText(f *testing.F) {
	for _, seed := range []string{
		"<@U1|name> deploy &lt;api&gt;", "<http://a|b", "<<<<>>>>", "&amp;amp;lt;", "“a”—b", "a\u200d\ufeff", "<!date^1^{time}|x>", "\xff<\xff>",
	} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, text string) {
		got := normalizeText(text)
		switch {
		case !utf8.ValidString(got):
			t.Errorf("got %q, which is not UTF-8", got)
		case len(got) > 3*len(text): // the replacement character has 3 bytes
			t.Errorf("got %d bytes of %d", len(got), len(text))
		case strings.ContainsAny(got, "\u200b\u200d\u2060\ufeff\u00a0“”‘’–—"):
			t.Errorf("got %q, which has characters that are not on a keyboard", got)
		case strings.TrimSpace(got) != got:
			t.Errorf("got %q with space around it", got)
		}
	})
}
