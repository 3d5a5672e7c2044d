package grammar

import (
	"reflect"
	"testing"
	"time"
)

// TestParse_Accepted reads lines that are commands. want is the same command as String writes it.
func TestParse_Accepted(t *testing.T) {
	rows := []struct {
		name string
		text string
		want string
	}{
		{"deploy: the only environment that is not production", "deploy api", "deploy api to staging"},
		{"deploy: the only environment of an app", "deploy front", "deploy front to front-staging"},
		{"deploy: by owner and name, without environment", "deploy acme/api", "deploy acme/api to staging"},
		{"deploy: app without a name", "deploy acme/unnamed", "deploy acme/unnamed to staging"},
		{"deploy: repository of a pattern", "deploy labs/toy@topic", "deploy labs/toy@topic to staging"},
		{"deploy: repository of a pattern, with a ref", "deploy Labs/Toy/topic to production",
			"deploy Labs/Toy@topic to production"},
		{"deploy: repository with environments of a pattern", "deploy labs/known to production",
			"deploy labs/known to production"},
		{"deploy: to", "deploy api to production", "deploy api to production"},
		{"deploy: in", "deploy api in staging", "deploy api to staging"},
		{"deploy: on", "deploy api on staging", "deploy api to staging"},
		{"deploy: any case", "DEPLOY Api TO Production BECAUSE Fix", "deploy api to production because Fix"},
		{"deploy: owner and name in any case", "deploy ACME/API to staging", "deploy acme/api to staging"},
		{"deploy: ref after a slash", "deploy api/topic to staging", "deploy api@topic to staging"},
		{"deploy: ref after an at sign", "deploy api@topic to staging", "deploy api@topic to staging"},
		{"deploy: ref without environment", "deploy api@topic", "deploy api@topic to staging"},
		{"deploy: ref keeps its case", "deploy api@Feature/X", "deploy api@Feature/X to staging"},
		{"deploy: ref with slashes", "deploy api/feature/x to staging", "deploy api@feature/x to staging"},
		{"deploy: ref with an at sign", "deploy api/v1@2 to staging", "deploy api@v1@2 to staging"},
		{"deploy: full ref", "deploy api@refs/heads/main to staging", "deploy api@refs/heads/main to staging"},
		{"deploy: commit", "deploy api@4f2c9aa to staging", "deploy api@4f2c9aa to staging"},
		{"deploy: ref of letters that are not Latin", "deploy api@größe to staging", "deploy api@größe to staging"},
		{"deploy: owner/name with a ref after a slash", "deploy acme/api/topic", "deploy acme/api@topic to staging"},
		{"deploy: owner/name with a ref after an at sign", "deploy acme/api@topic", "deploy acme/api@topic to staging"},
		{"deploy: owner/name before the app acme at ref api", "deploy acme/api to production",
			"deploy acme/api to production"},
		{"deploy: the app acme at a ref", "deploy acme/topic to production", "deploy acme@topic to production"},
		{"deploy: the app acme at ref api", "deploy acme@api to production", "deploy acme@api to production"},
		{"deploy: hosts", "deploy api to production/web1,web2", "deploy api to production hosts=web1,web2"},
		{"deploy: everything of hubot-deploy", "deploy:migrate! api/feature/x in production/web1 because x",
			"deploy:migrate! api@feature/x to production hosts=web1 because x"},
		{"deploy: task", "deploy:migrate api to staging", "deploy:migrate api to staging"},
		{"deploy: task keeps its case", "deploy:Migrate api to staging", "deploy:Migrate api to staging"},
		{"deploy: force", "deploy! api to production because the queue is stuck",
			"deploy! api to production because the queue is stuck"},
		{"deploy: force mark behind a task is no part of it", "deploy:foo! api because x",
			"deploy:foo! api to staging because x"},
		{"deploy: values", "deploy api to staging version=3 debug=true",
			"deploy api to staging version=3 debug=true"},
		{"deploy: values before the environment", "deploy api version=3 to staging", "deploy api to staging version=3"},
		{"deploy: value without text", "deploy api note=", `deploy api to staging note=""`},
		{"deploy: value with an equals sign", "deploy api q=a=b", "deploy api to staging q=a=b"},
		{"deploy: value in quotes", `deploy api note="two words" n=1`, `deploy api to staging note="two words" n=1`},
		{"deploy: value in curved quotes", "deploy api note=“two words”", `deploy api to staging note="two words"`},
		{"deploy: because inside a value", `deploy api note="because x" because y`,
			`deploy api to staging note="because x" because y`},
		{"deploy: reason", "deploy api to staging because we must", "deploy api to staging because we must"},
		{"deploy: reason with words of the grammar", "deploy api because bob said to production",
			"deploy api to staging because bob said to production"},
		{"deploy: reason with a number of six digits", "deploy api because of ticket 123456",
			"deploy api to staging because of ticket 123456"},
		{"deploy: reason keeps its punctuation", "deploy api because it’s “done” — see #41!",
			"deploy api to staging because it’s “done” — see #41!"},
		{"deploy: pattern", "deploy site to review-12", "deploy site to review-12"},
		{"deploy: pattern with hosts", "deploy site to review-12/web1", "deploy site to review-12 hosts=web1"},
		{"deploy: pattern that matches everything", "deploy shop to demo", "deploy shop to demo"},
		{"deploy: one of a series beside a pattern", "deploy shop to production2", "deploy shop to production2"},
		{"deploy: environment of two words", "deploy eu to production eu", "deploy eu to Production EU"},
		{"deploy: shorter of two environments", "deploy eu to production", "deploy eu to Production"},
		{"deploy: environment of another app in the repository", "deploy acme/mono to back-staging",
			"deploy acme/mono to back-staging"},
		{"deploy: app and environment in quotes", `deploy "api" to 'staging'`, "deploy api to staging"},
		{"deploy: environment in backticks", "deploy api to `production`", "deploy api to production"},
		{"deploy: line in backticks", "`deploy api to staging`", "deploy api to staging"},
		{"deploy: line in a code block", "```deploy api to staging```", "deploy api to staging"},

		{"spaces: many", "  deploy   api  to   staging  ", "deploy api to staging"},
		{"spaces: tab", "deploy\tapi\tto\tstaging", "deploy api to staging"},
		{"spaces: no-break", "deploy\u00a0api\u00a0to\u00a0production", "deploy api to production"},
		{"spaces: narrow no-break", "deploy\u202fapi to staging", "deploy api to staging"},
		{"spaces: ideographic", "deploy\u3000api to staging", "deploy api to staging"},
		{"spaces: line break at the end", "deploy api to staging\r\n", "deploy api to staging"},
		{"invisible: zero-width space", "deploy api\u200b to staging\u200b", "deploy api to staging"},
		{"invisible: byte order mark in front", "\ufeffdeploy api", "deploy api to staging"},
		{"invisible: soft hyphen", "deploy api to stag\u00ading", "deploy api to staging"},
		{"invisible: marks of direction", "\u200edeploy api to staging\u200f", "deploy api to staging"},
		{"invisible: joiner in a word", "deploy api to sta\u200dging", "deploy api to staging"},
		{"invisible: isolates in a reason", "deploy api because \u2068alice\u2069 asked",
			"deploy api to staging because alice asked"},
		{"invisible: override in a reason", "deploy api because \u202etxet", "deploy api to staging because txet"},
		{"invisible: joiner of an emoji in a reason", "deploy api because \U0001f469\u200d\U0001f4bb asked",
			"deploy api to staging because \U0001f469\u200d\U0001f4bb asked"},

		{"rollback", "rollback api in production", "rollback api in production"},
		{"rollback: on", "rollback api on production", "rollback api in production"},
		{"rollback: to a deployment", "rollback api in production to #41", "rollback api in production to #41"},
		{"rollback: to a deployment without a mark", "rollback api in production to 41",
			"rollback api in production to #41"},
		{"rollback: to a commit", "rollback api in production to 4F2C9AA", "rollback api in production to 4f2c9aa"},
		{"rollback: target first", "rollback api to #41 in production because broken",
			"rollback api in production to #41 because broken"},
		{"rollback: reason", "rollback api in production because 500s", "rollback api in production because 500s"},

		{"approve", "approve #12", "approve #12"},
		{"approve: without a mark", "approve 12", "approve #12"},
		{"approve: comment", "approve #12 looks good because tested", "approve #12 looks good because tested"},
		{"approve: comment after because", "approve #12 because looks good", "approve #12 looks good"},
		{"approve-hold", "approve-hold #12", "approve-hold #12"},
		{"approve-hold: job of several words", "approve-hold #12 hold for approval", "approve-hold #12 hold for approval"},
		{"cancel", "cancel #12", "cancel #12"},
		{"cancel: reason", "cancel #12 because wrong branch", "cancel #12 because wrong branch"},
		{"why", "why #12", "why #12"},
		{"why: as a question", "why #12?", "why #12"},

		{"status", "status", "status"},
		{"status: app", "status api", "status api"},
		{"status: environment", "status in production", "status in production"},
		{"status: both, as a question", "status api in staging?", "status api in staging"},
		{"deploys", "deploys api", "deploys api"},
		{"deploys: environment", "deploys acme/api in production", "deploys acme/api in production"},
		{"where", "where can I deploy api", "where can I deploy api"},
		{"where: of hubot-deploy", "where can i deploy api", "where can I deploy api"},
		{"where: as a question", "Where can I deploy api?", "where can I deploy api"},
		{"where: short", "where api", "where can I deploy api"},

		{"lock", "lock api in production because release", "lock api in production because release"},
		{"lock: on", "lock api on production because release", "lock api in production because release"},
		{"lock: duration", "lock api in production for 2h because release",
			"lock api in production for 2h because release"},
		{"lock: duration in words", "lock api in production for 30 minutes because x",
			"lock api in production for 30m because x"},
		{"lock: duration of several units", "lock api in production for 1h30m because x",
			"lock api in production for 1h30m because x"},
		{"lock: a day", "lock api in production for a day because x", "lock api in production for 24h because x"},
		{"lock: task of hubot-deploy", "deploy:lock api to production because release",
			"lock api in production because release"},
		{"unlock", "unlock api in production", "unlock api in production"},
		{"unlock: task of hubot-deploy", "deploy:unlock api to production", "unlock api in production"},
		{"locks", "locks", "locks"},
		{"locks: as a question", "locks?", "locks"},

		{"whoami", "whoami", "whoami"},
		{"whoami: in words", "who am I?", "whoami"},
		{"link", "link", "link"},
		{"link: code keeps its case", "link AB12-cd34", "link AB12-cd34"},
		{"unlink", "unlink", "unlink"},
		{"help", "help", "help"},
		{"help: verb", "help approve-hold", "help approve-hold"},
		{"help: forced verb", "help deploy!", "help deploy"},
	}

	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c, err := Parse(row.text, names)
			if err != nil {
				t.Fatalf("Parse(%q): %v", row.text, err)
			}
			if got := c.String(); got != row.want {
				t.Errorf("Parse(%q): got %q, want %q", row.text, got, row.want)
			}
		})
	}
}

// TestParse_Fields reads one line of each shape and compares every field.
func TestParse_Fields(t *testing.T) {
	rows := []struct {
		text string
		want Command
	}{
		{
			text: `deploy:migrate! api@feature/x to production/web1 note="two words" because it is late`,
			want: Command{
				Verb:        Deploy,
				App:         "api",
				Repository:  "acme/api",
				Environment: "production",
				Ref:         "feature/x",
				Task:        "migrate",
				Force:       true,
				Values:      []Value{{Key: "hosts", Text: "web1"}, {Key: "note", Text: "two words"}},
				Reason:      "it is late",
			},
		},
		{
			text: "rollback acme/api in staging to ABCDEF0 because x",
			want: Command{
				Verb:        Rollback,
				App:         "acme/api",
				Repository:  "acme/api",
				Environment: "staging",
				SHA:         "abcdef0",
				Reason:      "x",
			},
		},
		{
			text: "lock api in staging for 2 hours because x",
			want: Command{
				Verb:        Lock,
				App:         "api",
				Repository:  "acme/api",
				Environment: "staging",
				Duration:    2 * time.Hour,
				Reason:      "x",
			},
		},
		{text: "approve #12 fine", want: Command{Verb: Approve, ID: 12, Comment: "fine"}},
		{text: "approve-hold #12 hold", want: Command{Verb: ApproveHold, ID: 12, Job: "hold"}},
		{text: "link AB12", want: Command{Verb: Link, Code: "AB12"}},
		{text: "help lock", want: Command{Verb: Help, Topic: Lock}},
	}

	for _, row := range rows {
		t.Run(row.text, func(t *testing.T) {
			got, err := Parse(row.text, names)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
}
