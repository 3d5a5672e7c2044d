package link

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// The codes of refusals. The audit has them as reasons.
const (
	codeOff         = "linking_off"
	codeOperator    = "operator_entry"
	codeLinked      = "already_linked"
	codeTaken       = "account_taken"
	codeNotLinked   = "not_linked"
	codeNoAttempt   = "no_attempt"
	codeNotSignedIn = "not_signed_in"
	codeExpired     = "expired"
	codeUsed        = "used"
	codeWrong       = "wrong_code"
	codeOthers      = "code_of_another"
	codeTooMany     = "too_many"
	codeBrowser     = "other_browser"
	codeDenied      = "denied"
	codeSignIn      = "sign_in_failed"
)

// again says how somebody begins another link.
const again = `Type "/seraph link" in Slack for a new address.`

func refuse(kind command.Kind, code, message string) *command.Error {
	return &command.Error{Kind: kind, Code: code, Message: message}
}

func refuseOff() *command.Error {
	return refuse(command.KindNotFound, codeOff, "people cannot link themselves here: ask whoever looks after Seraph "+
		"to add you to \"people\" in the routes file")
}

func refuseOperator(who deployment.Actor) *command.Error {
	return refuse(command.KindConflict, codeOperator, fmt.Sprintf("the routes file says that you are %s at GitHub, "+
		"and no link can change that: ask whoever looks after Seraph to correct \"people\" there", who))
}

func refuseLinked(who deployment.Actor) *command.Error {
	return refuse(command.KindConflict, codeLinked, fmt.Sprintf("you are linked to %s at GitHub already: type "+
		"\"/seraph unlink\" first to link another account", who))
}

func refuseTaken(who deployment.Actor) *command.Error {
	return refuse(command.KindConflict, codeTaken, fmt.Sprintf("the account %s at GitHub is linked to another user of "+
		"this workspace, and belongs to one at a time: if that is you, type \"/seraph unlink\" there first; if not, "+
		"tell whoever looks after Seraph", who))
}

func refuseNotLinked() *command.Error {
	return refuse(command.KindNotFound, codeNotLinked, "you are not linked to an account at GitHub")
}

func refuseNoAttempt() *command.Error {
	return refuse(command.KindNotFound, codeNoAttempt, "you have begun no link that this code could complete. "+again)
}

func refuseNotSignedIn() *command.Error {
	return refuse(command.KindConflict, codeNotSignedIn, "nobody has signed in at GitHub with your address yet: open "+
		"it first, and type the code that it shows then")
}

func refuseExpired() *command.Error {
	return refuse(command.KindConflict, codeExpired, fmt.Sprintf("that was too late: an address and its code are "+
		"valid for %d minutes. %s", int(lifetime/time.Minute), again))
}

func refuseUsed() *command.Error {
	return refuse(command.KindConflict, codeUsed, "somebody has signed in with this address already, and it is good "+
		"for one sign-in. If that was not you, tell whoever looks after Seraph. "+again)
}

func refuseWrong(left int) *command.Error {
	return refuse(command.KindForbidden, codeWrong, fmt.Sprintf("that is not the code which the page has shown: you "+
		"may try %d more times", left))
}

func refuseOthers() *command.Error {
	return refuse(command.KindForbidden, codeOthers, "this code belongs to the link of another user, who would have "+
		"been linked to the account at GitHub that signed in. Nothing was linked, and the code is void now. If "+
		"somebody has sent you the address, tell whoever looks after Seraph. "+again)
}

func refuseTooMany() *command.Error {
	return refuse(command.KindForbidden, codeTooMany, fmt.Sprintf("%d wrong codes were typed, so this link is void. %s",
		mostTyped, again))
}

func refuseBrowser() *command.Error {
	return refuse(command.KindForbidden, codeBrowser, "this is not the browser that opened the address from Slack, or "+
		"it has opened another one since, or it keeps no cookies. Open the address from Slack again, and sign in there")
}

func refuseDenied() *command.Error {
	return refuse(command.KindForbidden, codeDenied, "the sign-in at GitHub was canceled. Open the address from Slack "+
		"again if you want to go on")
}

func refuseSignIn() *command.Error {
	return refuse(command.KindUnavailable, codeSignIn, "GitHub did not confirm the sign-in. Open the address from "+
		"Slack again; if it happens again, tell whoever looks after Seraph")
}

// detail is what the audit keeps beside the account.
type detail struct {
	User   string `json:"user"` // face/workspace/user
	Reason string `json:"reason,omitempty"`
	By     string `json:"by,omitempty"` // the user who typed the code, if that is another one
}

// event is the audit event about a user.
func event(kind deployment.AuditKind, u deployment.ChatUser, who deployment.Actor, d detail) deployment.AuditEvent {
	d.User = u.String()
	text, _ := json.Marshal(d) // it has no value that can fail
	return deployment.AuditEvent{Kind: kind, Channel: u.Face + ":" + u.Workspace, Actor: who, Detail: text}
}
