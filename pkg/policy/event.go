package policy

import (
	"strings"
	"unicode/utf8"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// CompareEvent compares the deployment of an event with the deployment of that id as GitHub shows it;
// nil: GitHub shows none. It rejects an event that differs in a part on which rules decide: whoever
// knows the webhook secret can sign any event, but cannot make GitHub show it.
func CompareEvent(event deployment.Request, shown *deployment.Request) Verdict {
	o := allow("GitHub shows the same deployment")
	if shown == nil || !sameRequest(event, *shown) {
		o = reject(CodeOtherDeployment, "GitHub shows another deployment")
		o.Who = "a new deployment"
	}

	o.Rule = RuleEvent
	return newVerdict([]Outcome{o})
}

func sameRequest(event, shown deployment.Request) bool {
	return event.ID == shown.ID &&
		event.Repository.ID == shown.Repository.ID &&
		strings.EqualFold(event.Repository.FullName(), shown.Repository.FullName()) &&
		event.Creator == shown.Creator &&
		event.App.ID == shown.App.ID &&
		strings.EqualFold(event.SHA, shown.SHA) &&
		event.GitHubRef() == shown.Ref &&
		event.Task == shown.Task &&
		event.Environment == shown.Environment &&
		sameDescription(event.Description, shown.Description) &&
		(event.PayloadDigest == "" || event.PayloadDigest == deployment.PayloadDigest(shown.Payload))
}

// cutDescription is to how many characters the description of an event may have been cut.
const cutDescription = 4096

func sameDescription(event, shown string) bool {
	wasCut := utf8.RuneCountInString(event) >= cutDescription
	return event == shown || wasCut && strings.HasPrefix(shown, event)
}
