package link

import (
	"errors"
	"net/http"
	"strings"

	"golang.org/x/oauth2"

	"github.com/seraph-deploy/seraph/pkg/command"
	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// cookieName is the name of the cookie that has the verifier. A browser takes a cookie with this prefix only from this
// host itself, over TLS and for all paths, so that no other site can plant one:
// https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis-20#section-4.1.3.2
const cookieName = "__Host-seraph-link"

func (s *Service) routes() http.Handler {
	if s.o.SignIn == nil {
		return http.NotFoundHandler()
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /link/{code}", onlyGet(s.open))
	mux.HandleFunc("GET /login/callback", onlyGet(s.callback))
	return mux
}

// onlyGet keeps HEAD, for which a ServeMux also takes a handler of GET, from having an effect.
func onlyGet(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		next(w, r)
	}
}

// open sends a browser with the address of a link to GitHub. It changes nothing, because programs that look for
// harmful pages open addresses, too: only the first one who comes back from GitHub uses the address up.
func (s *Service) open(w http.ResponseWriter, r *http.Request) {
	addressHash := hashAddress(r.PathValue("code")) // the random end of the address, not the code that is typed
	attempt, err := s.o.Attempts.LinkAttempt(r.Context(), addressHash)
	if err != nil {
		s.showError(w, err)
		return
	}
	if refusal := s.refuseUnusable(attempt); refusal != nil {
		s.showError(w, refusal)
		return
	}

	verifier := oauth2.GenerateVerifier()
	http.SetCookie(w, &http.Cookie{
		Name:     cookieName,
		Value:    verifier,
		Path:     "/",
		MaxAge:   int(lifetime.Seconds()),
		Secure:   true,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode, // it must come with the redirect from GitHub
	})
	harden(w)
	http.Redirect(w, r, s.o.SignIn.URL(newState(addressHash, verifier), verifier), http.StatusFound)
}

// callback takes a browser that comes back from GitHub, and shows it the code that its user types.
func (s *Service) callback(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Path: "/", MaxAge: -1, Secure: true, HttpOnly: true})
	attempt, code, err := s.signIn(r)
	if err != nil {
		s.showError(w, err)
		return
	}
	s.showCode(w, attempt, code)
}

// signIn finds out who has signed in, and gives the attempt the code that their page shows. A refusal is a
// *command.Error.
func (s *Service) signIn(r *http.Request) (a deployment.LinkAttempt, code string, err error) {
	ctx, query := r.Context(), r.URL.Query()
	state := query.Get("state")
	a, counted, err := s.o.Attempts.VisitLink(ctx, attemptOf(state), mostVisits)
	switch {
	case err != nil:
		return a, "", err
	case !counted:
		return a, "", refuseUsed() // the visits before were audited
	}

	if refusal := s.refuseUnusable(a); refusal != nil {
		return a, "", s.refused(ctx, refusal, a.User, deployment.Actor{})
	}

	verifier := ""
	if cookie, err := r.Cookie(cookieName); err == nil {
		verifier = cookie.Value
	}
	switch {
	case verifier == "" || !equal(state, newState(a.AddressHash, verifier)):
		return a, "", s.refused(ctx, refuseBrowser(), a.User, deployment.Actor{})
	case query.Get("error") != "" || query.Get("code") == "":
		return a, "", s.refused(ctx, refuseDenied(), a.User, deployment.Actor{})
	}

	a.GitHub, err = s.o.SignIn.Account(ctx, query.Get("code"), verifier)
	var failed *SignInError
	switch {
	case errors.As(err, &failed):
		s.o.Log.Warn().Str("code", failed.Code).Stringer("user", a.User).Msg("sign-in at GitHub refused")
		return a, "", s.refused(ctx, refuseSignIn(), a.User, deployment.Actor{})
	case err != nil:
		return a, "", err
	}

	if err := s.refuseTakenAccount(r, a); err != nil {
		return a, "", err
	}
	code = newCode()
	first, err := s.o.Attempts.SignedIn(ctx, a.AddressHash, a.GitHub, hashCode(code))
	switch {
	case err != nil:
		return a, "", err
	case !first:
		return a, "", s.refused(ctx, refuseUsed(), a.User, a.GitHub)
	default:
		return a, code, nil
	}
}

// refuseUnusable refuses an attempt with which nobody can sign in any more; nil: somebody can.
func (s *Service) refuseUnusable(a deployment.LinkAttempt) *command.Error {
	switch {
	case a.CodeHash != "":
		return refuseUsed()
	case s.o.Now().After(a.ExpiresAt):
		return refuseExpired()
	default:
		return nil
	}
}

// refuseTakenAccount refuses an account whose user the routes file names, or that is linked already; nil: neither.
func (s *Service) refuseTakenAccount(r *http.Request, a deployment.LinkAttempt) error {
	if err := s.refuseByOperator(r.Context(), a); err != nil {
		return err
	}

	l, err := s.o.Links.LinkOfAccount(r.Context(), a.User.Face, a.User.Workspace, a.GitHub.ID)
	switch {
	case errors.Is(err, deployment.ErrNotFound):
		return nil
	case err != nil:
		return err
	}

	// The routes file may say that the user of a link is somebody else. Such a link counts for nothing, and must not
	// keep the account from whoever signed in with it.
	other, listed := s.o.Known.Person(l.User.Face, l.User.Workspace, l.User.User)
	if listed && other.ID != l.GitHub.ID {
		ended := event(deployment.AuditUnlink, l.User, l.GitHub, detail{Reason: WhyListed})
		_, err := s.o.Links.EndLink(r.Context(), l, ended)
		return err
	}
	return s.refuseTaken(r.Context(), a)
}

// harden sets the headers with which a browser runs nothing, keeps nothing, and shows the page in no frame.
func harden(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", strings.Join([]string{
		"default-src 'none'",
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
	}, "; "))
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("X-Robots-Tag", "noindex")
}
