package command

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// maxReason is how many characters people may write, because it is shown in GitHub's descriptions.
const maxReason = 200

func requireReason(reason string) error {
	if reason == "" {
		return invalid("reason_missing", "a reason is required")
	}
	return checkReason(reason)
}

// checkReason refuses a text that is too long to be shown, or not one line.
func checkReason(reason string) error {
	if utf8.RuneCountInString(reason) > maxReason {
		return invalid("reason_too_long", fmt.Sprintf("the reason has more than %d characters", maxReason))
	}
	if strings.ContainsFunc(reason, deployment.IsHidden) {
		return invalid("reason_not_plain", "the reason must be one line, without control and invisible characters")
	}
	return nil
}

// PlainText says whether a text is UTF-8, has at most so many characters, and none that cannot be seen.
func PlainText(text string, most int) bool {
	hidden := func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= most && !strings.ContainsFunc(text, hidden)
}

// maxEnvironment is how many characters the name of an environment has at GitHub.
const maxEnvironment = 255

// checkEnvironment refuses a name that no environment can have, or that looks like another one. Its
// lock would stop nothing, and people would think that they are safe.
func checkEnvironment(name string) error {
	if !PlainText(name, maxEnvironment) {
		const format = "the environment must have at most %d characters, none of them invisible"
		return invalid("environment_not_plain", fmt.Sprintf(format, maxEnvironment))
	}
	return nil
}
