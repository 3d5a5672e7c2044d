package phrase

import (
	"fmt"
	"strings"

	"github.com/seraph-deploy/seraph/pkg/grammar"
)

// Help says what Seraph understands. With a verb it says more about that one.
func (p Prefix) Help(topic grammar.Verb) string {
	if topic != "" {
		return string(p) + grammar.Form(topic) + "\n" + help(topic)
	}

	lines := []string{"Seraph understands:"}
	if p != "" {
		lines[0] = fmt.Sprintf("Seraph understands, after %q:", strings.TrimSpace(string(p)))
	}
	for _, v := range grammar.Verbs() {
		lines = append(lines, "  "+grammar.Form(v))
	}
	return strings.Join(append(lines, p.command("help deploy")+" says more about deploy, and so on."), "\n")
}

// help explains one verb.
func help(v grammar.Verb) string {
	switch v {
	case grammar.Deploy:
		return `Deploys a branch, a tag or a commit; without one, the default branch. APP/REF, "in ENV" and "on ENV" do ` +
			`the same. The environment may be left out where the app has exactly one that is not production. ` +
			`"to ENV/HOSTS" and KEY=VALUE go into the payload, and "deploy:TASK" names another task. ` +
			`"deploy! ... because REASON" passes checks, freezes, order and locks, for those who may force.`
	case grammar.Rollback:
		return `Deploys again what ran in the environment before, or the deployment or commit that you name. ` +
			`Checks and freezes do not stop it; who may deploy, and approvals, hold as ever.`
	case grammar.Approve:
		return `Approves a deployment that waits for approvals. Nobody approves what they asked for.`
	case grammar.ApproveHold:
		return `Approves a job that CircleCI holds. Name the job where several are held.`
	case grammar.Cancel:
		return `Cancels a deployment: at once while it waits, else as soon as CircleCI has stopped its workflows.`
	case grammar.Why:
		return `Says how far a deployment is, what it waits for and who can help.`
	case grammar.Status:
		return `Says what runs where, what waits and what is locked.`
	case grammar.Deploys:
		return `Lists the newest deployments of an app.`
	case grammar.Where:
		return `Lists the environments of an app.`
	case grammar.Lock:
		return `Keeps deployments of everybody else out of an environment: until you release the lock, or for a time ` +
			`such as "for 2h", "for 30 minutes" or "for 1d".`
	case grammar.Unlock:
		return `Releases your lock. Only its owner and an admin can.`
	case grammar.Locks:
		return `Lists all locks, with who took them and why.`
	case grammar.WhoAmI:
		return `Says who you are at GitHub. What you may do depends on that.`
	case grammar.Link, grammar.Unlink:
		return `Connects you with your account at GitHub, or ends that. Whoever looks after Seraph can also do it, under ` +
			`"people" in the routes file.`
	default:
		return `Lists what Seraph understands.`
	}
}
