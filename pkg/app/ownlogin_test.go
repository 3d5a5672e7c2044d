package app

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/rs/zerolog"
)

// TestOwnLogin_IsAskedUntilGitHubAnswers wants that the App's own deployments are recognized as soon as
// GitHub answers, that nothing is recognized before, and that a user's login is no App.
func TestOwnLogin_IsAskedUntilGitHubAnswers(t *testing.T) {
	for _, test := range []struct {
		name, login, want string
	}{
		{name: "App", login: "seraph[bot]", want: "seraph"},
		{name: "user", login: "seraph", want: ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked := 0
				o := &ownLogin{log: zerolog.Nop(), ask: func(context.Context) (string, error) {
					asked++
					if asked < 3 {
						return "", errors.New("503")
					}
					return test.login, nil
				}}

				if got := o.appSlug(); got != "" {
					t.Errorf("got slug %q before the first answer, want none", got)
				}

				o.learn(t.Context())
				if got := o.appSlug(); got != test.want || asked != 3 {
					t.Errorf("got slug %q after %d questions, want %q after 3", got, asked, test.want)
				}
			})
		})
	}
}

func TestOwnLogin_StopsWhileGitHubIsDown(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		o := &ownLogin{log: zerolog.Nop(), ask: func(context.Context) (string, error) { return "", errors.New("503") }}
		o.start()
		synctest.Wait()
		o.stop(context.Background())
	})
}
