package grammar

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestParse_Refused reads lines that are no commands. near is the line that is suggested instead.
func TestParse_Refused(t *testing.T) {
	rows := []struct {
		name string
		text string
		code Code
		near string
	}{
		{"nothing", "", CodeEmpty, ""},
		{"only spaces", " \t\u00a0\n", CodeEmpty, ""},
		{"two lines", "deploy api\nto production", CodeManyLines, ""},
		{"two lines, old Mac", "deploy api\rto production", CodeManyLines, ""},
		{"two lines, Unicode", "deploy api\u2028to production", CodeManyLines, ""},
		{"a second command", "deploy api to staging\ndeploy web to production", CodeManyLines, ""},
		{"very long", "deploy api because " + strings.Repeat("x", maxLine), CodeTooLong, ""},
		{"control character", "deploy api\x00 to staging", CodeHidden, ""},
		{"not UTF-8", "deploy api\xff to staging", CodeHidden, ""},
		{"right-to-left override in a word", "deploy api to \u202egnigats", CodeHidden, ""},
		{"isolates around a word", "deploy \u2068api\u2069 to staging", CodeHidden, ""},
		{"tag characters", "deploy api\U000e0061 to staging", CodeHidden, ""},

		{"token of hubot-deploy", "deploy-token:set:github ghp_0123456789abcdef", CodeSecret, ""},
		{"token of hubot-deploy without the token", "deploy-token:set:github", CodeSecret, ""},
		{"token with another prefix", "ship-token:set:github 0123", CodeSecret, ""},
		{"token of GitHub in a reason", "deploy api because ghp_0123456789abcdefghij", CodeSecret, ""},
		{"fine-grained token of GitHub", "link github_pat_0123456789abcdefghij", CodeSecret, ""},
		{"token of Slack", "xoxb-0123456789-abc", CodeSecret, ""},
		{"token of CircleCI", "deploy api token=CCIPAT_0123456789abcdefghij", CodeSecret, ""},
		{"private key over several lines", "-----BEGIN RSA PRIVATE KEY-----\nMIIE", CodeSecret, ""},
		{"code of six digits", "deploy api to production 123456", CodeOneTimeCode, "deploy api to production"},
		{"code of six digits without environment", "deploy api 123456", CodeOneTimeCode, "deploy api to staging"},
		{"code of six digits after a negation", "deploy api to production never 123456", CodeOneTimeCode, ""},
		{"code of a YubiKey", "deploy api to production " + strings.Repeat("cbdefghi", 4), CodeOneTimeCode,
			"deploy api to production"},

		{"negation", "don't deploy api to prod", CodeUnknownVerb, ""},
		{"negation with a curved apostrophe", "don’t deploy api to prod", CodeUnknownVerb, ""},
		{"negation in two words", "do not deploy api to production", CodeUnknownVerb, ""},
		{"negation after a word", "please never deploy api to production", CodeUnknownVerb, ""},
		{"please", "please deploy api", CodeUnknownVerb, "deploy api to staging"},
		{"a question", "can you deploy api to production", CodeUnknownVerb, "deploy api to production"},
		{"redeploy", "redeploy api to production", CodeUnknownVerb, "deploy api to production"},
		{"no space after the bot's name", "hubotdeploy api", CodeUnknownVerb, ""},
		{"verb with a slip", "depoly api to production", CodeUnknownVerb, "deploy api to production"},
		{"verb with a slip and a task", "deply:migrate api", CodeUnknownVerb, "deploy:migrate api to staging"},
		{"verb of another tool", "ship api to staging", CodeUnknownVerb, "deploy api to staging"},
		{"verb in two words", "roll back api in production", CodeUnknownVerb, "rollback api in production"},
		{"verb in bold", "*deploy* api to production", CodeUnknownVerb, "deploy api to production"},
		{"verb with a full stop before it", ".deploy api to production", CodeUnknownVerb, "deploy api to production"},
		{"verb with a mark before it", "!deploy api to staging", CodeUnknownVerb, "deploy api to staging"},
		{"slash command", "/deploy api to staging", CodeUnknownVerb, "deploy api to staging"},
		{"verb in bold with a negation", "*deploy* not api", CodeUnknownVerb, ""},
		{"greeting", "hello", CodeUnknownVerb, ""},
		{"mention", "@everyone", CodeUnknownVerb, ""},
		{"two force marks", "deploy!! api", CodeUnknownVerb, ""},
		{"version of hubot-deploy", "deploy:version", CodeRetiredVerb, ""},
		{"token check of hubot-deploy", "deploy-token:verify:github", CodeRetiredVerb, ""},
		{"hubot-auto-deploy", "auto-deploy:enable api in production", CodeRetiredVerb, ""},

		{"no app", "deploy", CodeAppMissing, ""},
		{"no app, but an environment", "deploy to production", CodeAppMissing, ""},
		{"unknown app", "deploy billing to production", CodeUnknownApp, ""},
		{"app with a slip", "deploy apj to production", CodeUnknownApp, "deploy api to production"},
		{"app with a slip and a ref", "deploy apj@main to staging", CodeUnknownApp, "deploy api@main to staging"},
		{"app and environment with slips", "deploy apj to stagin", CodeUnknownApp, "deploy api to staging"},
		{"owner/name with a slip", "deploy other/tols to staging", CodeUnknownApp, "deploy other/tools to staging"},
		{"repository of a pattern with a slip", "deploy labs/knwon to qa", CodeUnknownApp, "deploy labs/known to qa"},
		{"app in Cyrillic", "deploy \u0430pi to production", CodeUnknownApp, "deploy api to production"},
		{"environment instead of app", "deploy staging", CodeUnknownApp, ""},
		{"two apps", "deploy api, web to production", CodeUnknownApp, ""},
		{"app with a comma", "deploy api, to production", CodeUnknownApp, "deploy api to production"},
		{"app with a comma at the end", "deploy api,", CodeUnknownApp, "deploy api to staging"},
		{"mention instead of app", "deploy <!channel> to production", CodeUnknownApp, ""},

		{"empty ref", "deploy api@ to staging", CodeBadRef, ""},
		{"empty ref after a slash", "deploy api/ to staging", CodeBadRef, ""},
		{"range of commits", "deploy api@a..b to staging", CodeBadRef, ""},
		{"ref like an option", "deploy api@--force to staging", CodeBadRef, "deploy api@force to staging"},
		{"ref with a full stop", "deploy api@main. to staging", CodeBadRef, "deploy api@main to staging"},
		{"no task", "deploy: api", CodeBadTask, ""},
		{"task of punctuation", "deploy:!! api", CodeBadTask, ""},
		{"forced lock", "deploy:lock! api to production", CodeBadTask, ""},

		{"several environments", "deploy web", CodeEnvironmentMissing, ""},
		{"only production", "deploy worker", CodeEnvironmentMissing, "deploy worker to production"},
		{"only production and a pattern", "deploy site", CodeEnvironmentMissing, ""},
		{"environments of two apps in one repository", "deploy acme/mono", CodeEnvironmentMissing, ""},
		{"environment left out after to", "deploy api to", CodeEnvironmentMissing, ""},
		{"abbreviation", "deploy api to prod", CodeUnknownEnvironment, "deploy api to production"},
		{"abbreviation with hosts", "deploy api to prod/web1", CodeUnknownEnvironment,
			"deploy api to production hosts=web1"},
		{"abbreviation beside a pattern", "deploy shop to prod", CodeUnknownEnvironment, "deploy shop to production"},
		{"environment with a slip", "deploy api to prodution", CodeUnknownEnvironment, "deploy api to production"},
		{"environment with a slip beside a pattern", "deploy shop to prodution", CodeUnknownEnvironment,
			"deploy shop to production"},
		{"environment with a full stop", "deploy api to staging.", CodeUnknownEnvironment, "deploy api to staging"},
		{"environment with a full stop beside a pattern", "deploy shop to demo.", CodeUnknownEnvironment,
			"deploy shop to demo"},
		{"environment with an exclamation mark", "deploy api to production!", CodeUnknownEnvironment,
			"deploy api to production"},
		{"environment of another app", "deploy api to qa", CodeUnknownEnvironment, ""},
		{"environment that does not fit the pattern", "deploy site to preview-1", CodeUnknownEnvironment, ""},

		{"ref as a word", "deploy api main", CodeTrailingWords, "deploy api@main to staging"},
		{"ref as a word, with an environment", "deploy api main to production", CodeTrailingWords,
			"deploy api@main to production"},
		{"ref after from", "deploy api from topic to staging", CodeTrailingWords, "deploy api@topic to staging"},
		{"ref as a word, where the environment is missing", "deploy web main", CodeTrailingWords, ""},
		{"two apps with and", "deploy web and api to staging", CodeTrailingWords, ""},
		{"environment as a word", "deploy api production", CodeTrailingWords, "deploy api to production"},
		{"word at the end", "deploy api to production now", CodeTrailingWords, "deploy api to production"},
		{"second environment", "deploy api to staging and production", CodeTrailingWords, "deploy api to staging"},
		{"negation at the end", "deploy api to production not", CodeTrailingWords, ""},
		{"negation behind the app", "deploy api never to production", CodeTrailingWords, ""},
		{"flag of the command line", "deploy api to production --force", CodeTrailingWords, "deploy api to production"},
		{"words of a shell", "deploy api to staging && deploy web", CodeTrailingWords, "deploy api to staging"},
		{"value with spaces around =", "deploy api to staging KEY = value", CodeTrailingWords, "deploy api to staging"},
		{"to twice", "deploy api to staging to production", CodeTrailingWords, "deploy api to staging"},
		{"key of Seraph", "deploy api seraph=1", CodeBadValue, ""},
		{"key of Seraph in capitals", "deploy api SERAPH=1", CodeBadValue, ""},
		{"key twice", "deploy api a=1 a=2", CodeBadValue, ""},
		{"hosts twice", "deploy api to staging/web1 hosts=web2", CodeBadValue, ""},
		{"quote in a value", `deploy api a=b"c`, CodeBadValue, ""},
		{"too many values", "deploy api" + manyValues(), CodeBadValue, ""},
		{"force without a reason", "deploy! api to production", CodeReasonMissing, ""},
		{"force with a placeholder", "deploy! api to production because REASON", CodeReasonMissing, ""},
		{"force with dots", "deploy! api to production because ...", CodeReasonMissing, ""},
		{"because without a reason", "deploy api to staging because", CodeReasonMissing, ""},

		{"rollback without environment", "rollback api", CodeEnvironmentMissing, ""},
		{"rollback to an environment", "rollback api to production", CodeIDMissing, "rollback api in production"},
		{"rollback of a ref", "rollback api@main in production", CodeTrailingWords, "rollback api in production"},
		{"rollback to a short commit", "rollback api in production to abc12", CodeIDMissing, ""},
		{"rollback to hosts", "rollback api in production/web1", CodeTrailingWords, "rollback api in production"},
		{"approve without a number", "approve", CodeIDMissing, ""},
		{"approve an app", "approve api", CodeIDMissing, ""},
		{"approve a hold", "approve hold #12", CodeIDMissing, "approve-hold #12"},
		{"approve zero", "approve #0", CodeIDMissing, ""},
		{"approve a number that is too large", "approve #99999999999999999999", CodeIDMissing, ""},
		{"cancel with words", "cancel #12 wrong branch", CodeTrailingWords, "cancel #12 because wrong branch"},
		{"cancel with a negation", "cancel #12 not needed", CodeTrailingWords, "cancel #12 because not needed"},
		{"why with a comma", "why #12,", CodeIDMissing, "why #12"},
		{"why with words", "why #12 please", CodeTrailingWords, "why #12"},
		{"status of a deployment", "status #12", CodeUnknownApp, "why #12"},
		{"status of an environment", "status production", CodeUnknownApp, "status in production"},
		{"status with of", "status of api", CodeUnknownApp, "status api"},
		{"status of an unknown environment", "status in mars.", CodeUnknownEnvironment, "status in mars"},
		{"deploys without app", "deploys", CodeAppMissing, ""},
		{"deploys of a ref", "deploys api/topic in staging", CodeTrailingWords, "deploys api in staging"},
		{"deploys with an abbreviation", "deploys api in prod", CodeUnknownEnvironment, "deploys api in production"},
		{"where without app", "where can I deploy", CodeAppMissing, ""},
		{"lock without a reason", "lock api in production", CodeReasonMissing, ""},
		{"lock with words", "lock api in production release freeze", CodeTrailingWords,
			"lock api in production because release freeze"},
		{"lock for something", "lock api in production for incident", CodeBadDuration,
			"lock api in production because incident"},
		{"lock for no time", "lock api in production for 0h because x", CodeBadDuration, ""},
		{"lock for years", "lock api in production for 100w because x", CodeBadDuration, ""},
		{"lock environment on app", "lock production on api because x", CodeUnknownApp,
			"lock api in production because x"},
		{"lock without environment", "lock api because x", CodeEnvironmentMissing, ""},
		{"unlock environment on app", "unlock production on api", CodeUnknownApp, "unlock api in production"},
		{"unlock with a reason", "unlock api in production because done", CodeTrailingWords, "unlock api in production"},
		{"unlock without in", "unlock api production", CodeTrailingWords, "unlock api in production"},
		{"locks with words", "locks please", CodeTrailingWords, "locks"},
		{"link with words", "link not a code", CodeTrailingWords, ""},
		{"help about a slip", "help deply", CodeUnknownVerb, "help deploy"},
		{"help about nothing", "help me", CodeUnknownVerb, "help"},
	}

	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c, err := Parse(row.text, names)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("Parse(%q): got the command %q, want an error", row.text, c)
			}
			if e.Code != row.code || e.Near != row.near {
				t.Errorf("Parse(%q): got code %s, near %q, want %s, %q", row.text, e.Code, e.Near, row.code, row.near)
			}
			if !strings.HasSuffix(e.Error(), ".") && !strings.HasSuffix(e.Error(), "?") {
				t.Errorf("Parse(%q): got %q, want whole sentences", row.text, e)
			}
			if e.Near == "" && e.Form == "" && !strings.Contains(e.Error(), "elp") && explains(e.Code) {
				t.Errorf("Parse(%q): got %q, want what to write instead", row.text, e)
			}
		})
	}
}

// manyValues is one value more than a line may have.
func manyValues() string {
	var b strings.Builder
	for i := range maxValues + 1 {
		fmt.Fprintf(&b, " k%d=x", i)
	}
	return b.String()
}

// explains says whether the error of a code must say what to write instead, or that help does.
func explains(c Code) bool {
	switch c {
	case CodeManyLines, CodeTooLong, CodeHidden, CodeBadValue, CodeUnknownEnvironment, CodeUnknownApp:
		return false // the sentence says what is wrong
	default:
		return true
	}
}

// TestParse_KeepsNoSecret wants that an error about a token shows nothing of it.
func TestParse_KeepsNoSecret(t *testing.T) {
	_, err := Parse("deploy-token:set:github ghp_0123456789abcdef", names)
	if err == nil || strings.Contains(err.Error(), "0123") || !strings.Contains(err.Error(), "revoke the token") {
		t.Errorf("got %v, want a warning without the token", err)
	}
}

// TestError_Error reads the sentences of some errors whole.
func TestError_Error(t *testing.T) {
	rows := []struct {
		text string
		want string
	}{
		{
			text: "deploy api to prod",
			want: `api does not have the environment "prod", and nothing was done. ` +
				`Did you mean "deploy api to production"?`,
		},
		{
			text: "deploy web",
			want: "Nothing was done: say which environment of web you mean. It has production, staging and qa. " +
				`Write "deploy web to ENV".`,
		},
		{
			text: "deploy web main",
			want: `Seraph does not understand the word "main" there, and nothing was done. ` +
				`Write "deploy APP[@REF] [to ENV] [KEY=VALUE...] [because REASON]".`,
		},
		{
			text: "approve",
			want: "Name the deployment by its number. Nothing was done. " +
				`Write "approve #ID [COMMENT]". "status" shows the numbers.`,
		},
		{
			text: "deploy! api/main to production",
			want: "Say why: everybody who looks at it will see the reason. Nothing was done. " +
				`Write "deploy! api@main to production because REASON".`,
		},
		{
			text: "don't deploy api to prod",
			want: `Nothing was done: a command begins with its verb, and this does not. ` +
				`"help" lists what Seraph understands.`,
		},
		{
			text: "deploy \u0430pi to staging",
			want: "Seraph does not know the app \"\u0430pi\", which has letters that are not plain Latin. " +
				`Nothing was done. Did you mean "deploy api to staging"?`,
		},
	}

	for _, row := range rows {
		t.Run(row.text, func(t *testing.T) {
			_, err := Parse(row.text, names)
			if err == nil || err.Error() != row.want {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}

// TestError_Text wants the prefix before each command that an error names.
func TestError_Text(t *testing.T) {
	rows := []struct {
		text string
		want []string
	}{
		{text: "deploy api to prod", want: []string{`"/seraph deploy api to production"?`}},
		{text: "deploy web", want: []string{`"/seraph deploy web to ENV".`}},
		{text: "", want: []string{`"/seraph help" lists`}},
		{text: "don't deploy", want: []string{`"/seraph help" lists`}},
		{text: "deploy:version", want: []string{`"/seraph help" lists`}},
		{text: "approve", want: []string{`"/seraph approve #ID [COMMENT]".`, `"/seraph status" shows`}},
		{text: "deploy-token:set:github", want: []string{`"/seraph help link" says more.`}},
	}

	for _, row := range rows {
		t.Run(row.text, func(t *testing.T) {
			_, err := Parse(row.text, names)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			for _, want := range row.want {
				if got := e.Text("/seraph "); !strings.Contains(got, want) {
					t.Errorf("got %s, want %s in it", got, want)
				}
			}
		})
	}
}
