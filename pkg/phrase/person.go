package phrase

import (
	"fmt"

	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/grammar"
)

// WhoAmI says as which account at GitHub Seraph knows somebody.
func WhoAmI(by deployment.Actor) string {
	if by.ID == 0 {
		return fmt.Sprintf("For Seraph you are %s, and no person at GitHub.", by)
	}
	return fmt.Sprintf("For Seraph you are %s at GitHub (id %d). Where you have write permission there, you may do "+
		"here what the rules of the route let you do.", by, by.ID)
}

// Link answers somebody who asks to be linked to a GitHub account, and has linked themselves already.
func (p Prefix) Link(by deployment.Actor) string {
	return fmt.Sprintf(`You are linked already: for Seraph you are %s at GitHub. If that is wrong, say %s. To link `+
		`another account then, type "/seraph link" in Slack itself, which answers you alone.`, by, p.command("unlink"))
}

// Listed answers somebody who asks to be linked, and whom the routes file names: no link would change that.
func Listed(by deployment.Actor) string {
	const format = `You need no link: the routes file says that you are %s at GitHub. If that is wrong, whoever looks ` +
		`after Seraph can correct it in "people" there.`
	return fmt.Sprintf(format, by)
}

// Named answers a request to link or unlink that does not come from a user of a chat system: a program that speaks for
// a person names the account, or a token asks for itself.
func Named(by deployment.Actor) string {
	if by.ID == 0 {
		return "An API token has no account to link or to unlink."
	}
	const format = "The program that sends your lines to Seraph says that you are %s at GitHub, and Seraph has no " +
		"link of yours. If that is wrong, whoever looks after that program can correct it."
	return fmt.Sprintf(format, by)
}

// Unlinked says that a link has ended.
func Unlinked(by deployment.Actor) string {
	return fmt.Sprintf(`You are not linked to %s at GitHub any more. Type "/seraph link" in Slack to link yourself `+
		`again.`, by)
}

// Unlink says who can end the link that the routes file makes.
func Unlink(by deployment.Actor) string {
	const format = `The routes file says that you are %s at GitHub. Whoever looks after Seraph can take that out of ` +
		`"people" there.`
	return fmt.Sprintf(format, by)
}

// NotDone says that a command was refused. hint, which may be empty, says what to do now.
func NotDone(message, hint string) string {
	return join("That was not done: "+Sentence(message), hint)
}

// Hint says what somebody can do after a refusal with a code; empty: the message says it.
func (p Prefix) Hint(code string, cmd grammar.Command) string {
	switch code {
	case "not_found":
		if cmd.ID != 0 {
			return p.command("status") + " and " + p.command("deploys APP") + " show the numbers of deployments."
		}
		return ""
	case "not_an_approver", "not_waiting", "not_held", "too_late":
		return p.why(cmd.ID) + " says how far it is and who can help."
	case "locked":
		return p.command("locks") + " says since when."
	default:
		return ""
	}
}

// WrongPlace says that a deployment may not be asked for in this place.
func WrongPlace(app, environment string) string {
	return fmt.Sprintf("%s may not be deployed to %s from this room: the route allows other rooms only. Ask in one of "+
		"those.", app, environment)
}
