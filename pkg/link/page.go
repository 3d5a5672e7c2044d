package link

import (
	"bytes"
	_ "embed"
	"errors"
	"html/template"
	"net/http"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
	"github.com/seraph-deploy/seraph/pkg/phrase"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is what a page shows: a code, or a message.
type page struct {
	Code      string
	User      string
	UserID    string
	Workspace string
	TeamID    string
	Login     string
	GitHubID  int64
	Until     string
	Message   string
}

func (s *Service) showCode(w http.ResponseWriter, a deployment.LinkAttempt, code string) {
	s.show(w, http.StatusOK, page{
		Code:      code,
		User:      a.UserName,
		UserID:    a.User.User,
		Workspace: a.WorkspaceName,
		TeamID:    a.User.Workspace,
		Login:     a.GitHub.Login,
		GitHubID:  a.GitHub.ID,
		Until:     a.ExpiresAt.UTC().Format("15:04 UTC"),
	})
}

// statusOf are the HTTP statuses of refusals.
var statusOf = map[string]int{
	codeExpired:  http.StatusGone,
	codeUsed:     http.StatusGone,
	codeBrowser:  http.StatusForbidden,
	codeDenied:   http.StatusForbidden,
	codeTaken:    http.StatusConflict,
	codeOperator: http.StatusConflict,
	codeSignIn:   http.StatusBadGateway,
}

// showError shows why a link does not go on. The cause of a fault of this service or of GitHub is in the log alone.
func (s *Service) showError(w http.ResponseWriter, err error) {
	var refusal *command.Error
	switch {
	case errors.As(err, &refusal):
		status, ok := statusOf[refusal.Code]
		if !ok {
			status = http.StatusForbidden
		}
		s.show(w, status, page{Message: phrase.UpperFirst(refusal.Message)})
	case errors.Is(err, deployment.ErrNotFound):
		s.show(w, http.StatusNotFound, page{Message: "There is no such link, or a newer one took its place. " + again})
	default:
		s.o.Log.Warn().Err(err).Msg("link failed")
		const message = "That did not work, and nothing was linked. Open the address from Slack again."
		s.show(w, http.StatusBadGateway, page{Message: message})
	}
}

func (s *Service) show(w http.ResponseWriter, status int, p page) {
	var text bytes.Buffer
	if err := pageTemplate.Execute(&text, p); err != nil {
		s.o.Log.Error().Err(err).Msg("page not written")
		status = http.StatusInternalServerError
		text.Reset()
	}

	harden(w)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes()) // an error means that the browser has left
}
