package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seraph-deploy/seraph/pkg/deployment"
)

// slackUser is a user of a workspace.
func slackUser(user string) deployment.ChatUser {
	return deployment.ChatUser{Face: "slack", Workspace: "T1", User: user}
}

// startLink begins a link of a user, whose address has a hash of one letter.
func (b *testDB) startLink(user, letter string) deployment.LinkAttempt {
	b.t.Helper()
	a := deployment.LinkAttempt{
		User:          slackUser(user),
		UserName:      "name of " + user,
		WorkspaceName: "Acme",
		AddressHash:   strings.Repeat(letter, 64),
		ExpiresAt:     asStored(b.clock().Add(10 * time.Minute)),
	}
	if err := b.StartLink(b.t.Context(), a); err != nil {
		b.t.Fatal(err)
	}
	return a
}

// signIn gives an attempt an account and a code.
func (b *testDB) signIn(a deployment.LinkAttempt, id int64) deployment.LinkAttempt {
	b.t.Helper()
	a.GitHub = deployment.Actor{ID: id, Login: fmt.Sprintf("login-%d", id)}
	a.CodeHash = "code of " + a.AddressHash
	first, err := b.SignedIn(b.t.Context(), a.AddressHash, a.GitHub, a.CodeHash)
	if err != nil || !first {
		b.t.Fatalf("signed in: got %v, %v, want the first", first, err)
	}
	return a
}

func linkAct(kind deployment.AuditKind) deployment.AuditEvent {
	return deployment.AuditEvent{Kind: kind, Channel: "slack:T1"}
}

func (b *testDB) wantAttempt(want deployment.LinkAttempt) {
	b.t.Helper()
	got, err := b.LinkAttempt(b.t.Context(), want.AddressHash)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		b.t.Errorf("attempt: got %v, and (- want, + got):\n%s", err, diff)
	}
}

// testLinkAttempts: a user has one attempt, whose visits and codes are counted up to a limit, and in which one person
// signs in.
func testLinkAttempts(t *testing.T, b *testDB) {
	ctx := t.Context()
	a := b.startLink("U1", "a")
	b.wantAttempt(a)
	if _, err := b.LinkAttempt(ctx, "unknown"); !errors.Is(err, deployment.ErrNotFound) {
		t.Errorf("unknown address: got %v, want ErrNotFound", err)
	}

	for i := range 4 {
		got, counted, err := b.VisitLink(ctx, a.AddressHash, 3)
		a.Visits = min(i+1, 3)
		if err != nil || counted != (i < 3) || got.Visits != a.Visits {
			t.Errorf("visit %d: got %d, %v, %v, want %d", i, got.Visits, counted, err, a.Visits)
		}
		got, counted, err = b.TypeLinkCode(ctx, a.User, 2)
		a.Typed = min(i+1, 2)
		if err != nil || counted != (i < 2) || got.Typed != a.Typed {
			t.Errorf("code %d: got %d, %v, %v, want %d", i, got.Typed, counted, err, a.Typed)
		}
	}
	_, _, visited := b.VisitLink(ctx, "unknown", 3)
	_, _, typed := b.TypeLinkCode(ctx, slackUser("U9"), 3)
	_, signed := b.SignedIn(ctx, "unknown", a.GitHub, "code")
	for _, err := range []error{visited, typed, signed} {
		if !errors.Is(err, deployment.ErrNotFound) {
			t.Errorf("unknown attempt: got %v, want ErrNotFound", err)
		}
	}

	a = b.signIn(a, 5)
	second, err := b.SignedIn(ctx, a.AddressHash, deployment.Actor{ID: 6}, "another code")
	if err != nil || second {
		t.Errorf("a second sign-in: got %v, %v, want false", second, err)
	}
	b.wantAttempt(a)
	byCode, err := b.LinkAttemptByCode(ctx, "slack", "T1", a.CodeHash)
	if diff := cmp.Diff(a, byCode); err != nil || diff != "" {
		t.Errorf("by code: got %v, and (- want, + got):\n%s", err, diff)
	}
	if _, err := b.LinkAttemptByCode(ctx, "slack", "T2", a.CodeHash); !errors.Is(err, deployment.ErrNotFound) {
		t.Errorf("by code in another workspace: got %v, want ErrNotFound", err)
	}

	newer := b.startLink("U1", "b") // it begins at zero
	b.wantAttempt(newer)
	if _, err := b.LinkAttempt(ctx, a.AddressHash); !errors.Is(err, deployment.ErrNotFound) {
		t.Errorf("the former attempt: got %v, want ErrNotFound", err)
	}

	b.later(10*time.Minute + keepAttempts + time.Second)
	b.startLink("U2", "c")
	if got := b.count(`SELECT count(*) FROM link_codes`); got != 1 {
		t.Errorf("got %d attempts a day after the first expired, want the newest", got)
	}
	if err := b.DropLinkAttempt(ctx, slackUser("U2")); err != nil || b.count(`SELECT count(*) FROM link_codes`) != 0 {
		t.Errorf("got %v, want no attempt after it was dropped", err)
	}
}

// testLinks: an attempt is confirmed once; one user and one account of a workspace are in one link at most.
func testLinks(t *testing.T, b *testDB) {
	ctx := t.Context()
	a := b.signIn(b.startLink("U1", "a"), 5)
	if err := b.ConfirmLink(ctx, a, linkAct(deployment.AuditLink)); err != nil {
		t.Fatal(err)
	}
	if err := b.ConfirmLink(ctx, a, linkAct(deployment.AuditLink)); !errors.Is(err, deployment.ErrNotFound) {
		t.Errorf("again: got %v, want ErrNotFound", err)
	}

	now := asStored(b.clock())
	want := deployment.Link{User: a.User, GitHub: a.GitHub, LinkedAt: now, CheckedAt: now}
	byUser, err1 := b.LinkOfUser(ctx, a.User)
	byAccount, err2 := b.LinkOfAccount(ctx, "slack", "T1", 5)
	if err1 != nil || err2 != nil || byUser != want || byAccount != want {
		t.Errorf("got %+v, %v and %+v, %v, want %+v", byUser, err1, byAccount, err2, want)
	}
	if _, err := b.LinkOfAccount(ctx, "slack", "T2", 5); !errors.Is(err, deployment.ErrNotFound) {
		t.Errorf("another workspace: got %v, want ErrNotFound", err)
	}

	for _, c := range []struct {
		name, user, letter string
		id                 int64
	}{
		{name: "the same user", user: "U1", letter: "b", id: 6},
		{name: "the same account", user: "U2", letter: "c", id: 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			taken := b.signIn(b.startLink(c.user, c.letter), c.id)
			err := b.ConfirmLink(ctx, taken, linkAct(deployment.AuditLink))
			var inTheWay *deployment.LinkTakenError
			if !errors.As(err, &inTheWay) || inTheWay.Link != want {
				t.Errorf("got %v, want the link in the way", err)
			}
			b.wantAttempt(taken) // it is not confirmed
		})
	}

	if got := b.count(`SELECT count(*) FROM audit`); got != 1 {
		t.Errorf("got %d audit records, want one of the link", got)
	}
}

// testLinkEnds: a link ends once, and what its user has begun ends with it. A refusal may end an attempt and leave a
// notice.
func testLinkEnds(t *testing.T, b *testDB) {
	ctx := t.Context()
	a := b.signIn(b.startLink("U1", "a"), 5)
	if err := b.ConfirmLink(ctx, a, linkAct(deployment.AuditLink)); err != nil {
		t.Fatal(err)
	}
	l, err := b.LinkOfUser(ctx, a.User)
	if err != nil {
		t.Fatal(err)
	}

	b.later(time.Hour)
	due, err := b.UncheckedLinks(ctx, b.clock().Add(-time.Minute), 10)
	if err != nil || len(due) != 1 || due[0] != l {
		t.Errorf("unchecked: got %v, %v, want %v", due, err, l)
	}
	if err := b.CheckedLink(ctx, l, "renamed"); err != nil {
		t.Fatal(err)
	}
	due, err = b.UncheckedLinks(ctx, b.clock().Add(-time.Minute), 10)
	checked, readErr := b.LinkOfUser(ctx, a.User)
	if err != nil || readErr != nil || len(due) != 0 || checked.GitHub.Login != "renamed" {
		t.Errorf("checked: got %v and %+v, %v, %v, want none due and the new login", due, checked, err, readErr)
	}

	stale := l
	stale.GitHub.ID = 99
	for _, c := range []struct {
		name string
		link deployment.Link
		want bool
	}{
		{name: "with another account", link: stale},
		{name: "that stands", link: l, want: true},
		{name: "that has ended", link: l},
	} {
		t.Run(c.name, func(t *testing.T) {
			if ended, err := b.EndLink(ctx, c.link, linkAct(deployment.AuditUnlink)); err != nil || ended != c.want {
				t.Errorf("got %v, %v, want %v", ended, err, c.want)
			}
		})
	}
	if _, err := b.LinkAttempt(ctx, a.AddressHash); !errors.Is(err, deployment.ErrNotFound) {
		t.Errorf("the attempt of an ended link: got %v, want ErrNotFound", err)
	}

	refused := b.startLink("U2", "b")
	who := deployment.Actor{ID: 5, Login: "alice"}
	if err := b.RefuseLink(ctx, linkAct(deployment.AuditLinkRefused), &refused, "a notice", who); err != nil {
		t.Fatal(err)
	}
	if err := b.RefuseLink(ctx, linkAct(deployment.AuditLinkRefused), nil, "", deployment.Actor{}); err != nil {
		t.Fatal(err)
	}
	notices, err := b.Notices(ctx, 0, 10)
	if err != nil || len(notices) != 1 || notices[0].To != who || notices[0].Lock != 0 {
		t.Errorf("got %+v, %v, want one notice for alice", notices, err)
	}
	_, err = b.LinkAttempt(ctx, refused.AddressHash)
	records := b.count(`SELECT count(*) FROM audit`)
	if !errors.Is(err, deployment.ErrNotFound) || records != 4 {
		t.Errorf("got %v and %d audit records, want no attempt and 4", err, records)
	}
}

// testLinksConcurrently: of many who confirm with one account, or type at once, as many get through as may.
func testLinksConcurrently(t *testing.T, b *testDB) {
	const many = 8
	var attempts []deployment.LinkAttempt
	for i := range many {
		attempts = append(attempts, b.signIn(b.startLink(fmt.Sprintf("U%d", i), string(rune('a'+i))), 5))
	}
	isTaken := func(err error) bool {
		_, taken := errors.AsType[*deployment.LinkTakenError](err)
		return taken
	}
	confirm := func(i int) error {
		return b.ConfirmLink(context.Background(), attempts[i], linkAct(deployment.AuditLink))
	}
	if got := succeeded(t, concurrently(many, confirm), isTaken); got != 1 {
		t.Errorf("got %d links of one account, want 1", got)
	}

	errTooMany := errors.New("too many")
	typed := concurrently(many, func(int) error {
		_, counted, err := b.TypeLinkCode(context.Background(), slackUser("U0"), 5)
		if err == nil && !counted {
			err = errTooMany
		}
		return err
	})
	if got := succeeded(t, typed, func(err error) bool { return errors.Is(err, errTooMany) }); got != 5 {
		t.Errorf("got %d codes looked at, want 5", got)
	}

	signed := b.startLink("U9", "z")
	errSecond := errors.New("second")
	first := concurrently(many, func(i int) error {
		ok, err := b.SignedIn(context.Background(), signed.AddressHash, deployment.Actor{ID: int64(i + 10)}, "code")
		if err == nil && !ok {
			err = errSecond
		}
		return err
	})
	if got := succeeded(t, first, func(err error) bool { return errors.Is(err, errSecond) }); got != 1 {
		t.Errorf("got %d sign-ins with one address, want 1", got)
	}
}
