package fsm_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// secured is a log whose group may have tokens.
func secured(t *testing.T) *log {
	l := newLog(t)
	l.ok(&fsm.FeatureRaise{Level: 2})
	return l
}

func accessors(r *fsm.Reader) (out []string) {
	for t := range r.Tokens("") {
		out = append(out, t.Accessor)
	}
	return out
}

func TestBootstrapIsTakenOnce(t *testing.T) {
	l := secured(t)
	l.refused(&fsm.TokenBootstrap{Token: token("a", fsm.MayManage), Reset: 5}, fsm.CodeConflict)
	first := l.ok(&fsm.TokenBootstrap{Token: token("a", fsm.MayManage), Cause: operator})
	if at := l.refused(&fsm.TokenBootstrap{Token: token("b", fsm.MayManage)}, fsm.CodeConflict).Error.Fields["index"]; at != itoa(first.Index) {
		t.Errorf("the refusal names index %q, it was %d", at, first.Index)
	}
	l.refused(&fsm.TokenBootstrap{Token: token("b", fsm.MayManage), Reset: first.Index - 1}, fsm.CodeConflict)
	l.ok(&fsm.TokenBootstrap{Token: token("b", fsm.MayManage), Reset: first.Index})
	l.refused(&fsm.TokenBootstrap{Token: token("c", fsm.MayManage), Reset: first.Index}, fsm.CodeConflict)
	if got := accessors(l.state.Read()); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("there are %q", got)
	}
}

// TestTokensLive makes tokens and takes them away: a snapshot brings them back, and events tell of them without their hashes.
func TestTokensLive(t *testing.T) {
	l := secured(t)
	after := l.state.Read().Meta().Seq
	l.ok(&fsm.TokenBootstrap{Token: token("a", fsm.MayManage), Cause: operator})
	l.ok(&fsm.TokenCreate{Token: token("b", fsm.MayRead), Cause: operator})
	l.ok(&fsm.TokenCreate{Token: token("b", fsm.MayRead), Cause: operator}) // sent again
	l.refused(&fsm.TokenCreate{Token: fsm.Token{Accessor: "b", Hash: fsm.HashSecret("other"), Rights: fsm.Rights}}, fsm.CodeConflict)
	l.refused(&fsm.TokenCreate{Token: fsm.Token{Accessor: "c", Hash: fsm.HashSecret("secret of b"), Rights: fsm.Rights}}, fsm.CodeConflict)
	r := restored(t, l.snapshot()).Read()
	b := r.TokenOf(fsm.HashSecret("secret of b"))
	if b == nil || b.Accessor != "b" || b.Created == 0 || r.TokenOf(fsm.HashSecret("b")) != nil {
		t.Fatalf("the token is %+v", b)
	}
	l.ok(&fsm.TokenDelete{Accessors: []string{"b", "unknown"}, Cause: operator})
	r = l.state.Read()
	if r.Token("b") != nil || r.TokenOf(b.Hash) != nil || r.Token("a") == nil {
		t.Errorf("there are %q", accessors(r))
	}
	var told []string
	for e := range r.Events(after) {
		raw, err := e.MarshalCBOR()
		if err != nil || bytes.Contains(raw, b.Hash) || bytes.Contains(raw, fsm.HashSecret("secret of a")) {
			t.Errorf("%s holds a hash (%v)", e.Type, err)
		}
		told = append(told, string(e.Type))
	}
	if diff := cmp.Diff([]string{"acl.bootstrapped", "acl.token_created", "acl.token_deleted"}, told); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestBadTokensAreRefused(t *testing.T) {
	const now = fsm.Time(1_763_800_000_000)
	for field, change := range map[string]func(*fsm.Token){
		"roles: are missing":         func(t *fsm.Token) { t.Rights = nil },
		`roles: "root" is none of`:   func(t *fsm.Token) { t.Rights = []fsm.Right{"root"} },
		`roles: "read" is given`:     func(t *fsm.Token) { t.Rights = []fsm.Right{"read", "read"} },
		"description: is not at":     func(t *fsm.Token) { t.Description = "a\nb" },
		"description: is not at m":   func(t *fsm.Token) { t.Description = strings.Repeat("x", 257) },
		"expires: ":                  func(t *fsm.Token) { t.Expires = now },
		"accessor: ":                 func(t *fsm.Token) { t.Accessor = "" },
		"hash: is 3 bytes long, not": func(t *fsm.Token) { t.Hash = t.Hash[:3] },
	} {
		bad := token("a", fsm.MayRead)
		change(&bad)
		if err := bad.Validate(now); !errors.Is(err, fsm.ErrInvalid) || !strings.HasPrefix(err.Error(), field) {
			t.Errorf("it is refused with %v, not %q", err, field)
		}
	}
}

// TestApplyTakesWhatItsProposerJudged has tokens that another release may take, with a character and a right that came later:
// Apply refuses only what its table cannot hold, so that peers of two releases agree.
func TestApplyTakesWhatItsProposerJudged(t *testing.T) {
	l := secured(t)
	later := token("a", fsm.MayRead, "audit")
	later.Description = "\U000E0FFF"
	l.ok(&fsm.TokenCreate{Token: later})
	for _, change := range []func(*fsm.Token){
		func(t *fsm.Token) { t.Accessor = "" },
		func(t *fsm.Token) { t.Hash = t.Hash[:3] },
	} {
		bad := token("b", fsm.MayRead)
		change(&bad)
		l.refused(&fsm.TokenCreate{Token: bad}, fsm.CodeInvalid)
		l.refused(&fsm.TokenBootstrap{Token: bad}, fsm.CodeInvalid)
	}
}

func TestTokensAreBounded(t *testing.T) {
	l := secured(t)
	for i := range fsm.MaxTokens {
		l.ok(&fsm.TokenCreate{Token: token(fmt.Sprintf("t%04d", i), fsm.MayRead)})
	}
	l.refused(&fsm.TokenCreate{Token: token("more", fsm.MayRead)}, fsm.CodeConflict)
	// Who lost all that may manage must still get in.
	l.ok(&fsm.TokenBootstrap{Token: token("first", fsm.MayManage)})
	l.ok(&fsm.TokenDelete{Accessors: []string{"t0500", "first"}})
	l.ok(&fsm.TokenCreate{Token: token("more", fsm.MayRead)})
}

func TestExpiredTokensGo(t *testing.T) {
	l := secured(t)
	for name, expires := range map[string]fsm.Time{"never": 0, "soon": l.now + 60_000, "later": l.now + 600_000} {
		made := token(name, fsm.MayRead)
		made.Expires = expires
		l.ok(&fsm.TokenCreate{Token: made})
	}
	r := l.state.Read()
	soon := r.Token("soon")
	if soon.Expired(soon.Expires-1) || !soon.Expired(soon.Expires) || r.Token("never").Expired(1<<62) {
		t.Error("a token expires at another time than it says")
	}
	if c := r.Expired(soon.Expires - 1); c != nil {
		t.Errorf("%q are taken away too early", c.Accessors)
	}
	c := r.Expired(soon.Expires)
	if c == nil || !slices.Equal(c.Accessors, []string{"soon"}) || c.Cause.Kind != fsm.CauseGroup {
		t.Fatalf("%+v takes them away", c)
	}
	l.ok(c)
	if got := accessors(l.state.Read()); !slices.Equal(got, []string{"later", "never"}) {
		t.Errorf("%q are left", got)
	}
}

func TestRightsHoldEachOther(t *testing.T) {
	for right, holds := range map[fsm.Right][]fsm.Right{
		fsm.MayRead: {fsm.MayRead}, fsm.MayOperate: {fsm.MayRead, fsm.MayOperate},
		fsm.MayManage: {fsm.MayRead, fsm.MayOperate, fsm.MayManage}, fsm.MaySnapshot: {fsm.MaySnapshot},
	} {
		made := token("a", right)
		for _, need := range fsm.Rights {
			if got, want := made.May(need), slices.Contains(holds, need); got != want {
				t.Errorf("that %s may %s is %v", right, need, got)
			}
		}
		if made.May("") {
			t.Errorf("%s may do what nobody named", right)
		}
	}
}

// TestTokensMoveTheirSet checks that who waits for tokens wakes when one comes or goes and when a backup takes their place, and
// that a group of the first level writes nothing of it.
func TestTokensMoveTheirSet(t *testing.T) {
	l := secured(t)
	moved := func(why string, do func()) {
		t.Helper()
		w := l.state.Read().Wait(fsm.SetTokens)
		do()
		select {
		case <-w.Changed:
		default:
			t.Errorf("nobody wakes when %s", why)
		}
		if at := l.state.Read().Wait(fsm.SetTokens).Index; at <= w.Index {
			t.Errorf("the index stays at %d when %s", at, why)
		}
	}
	moved("a token comes", func() { l.ok(&fsm.TokenCreate{Token: token("a", fsm.MayRead)}) })
	moved("a token goes", func() { l.ok(&fsm.TokenDelete{Accessors: []string{"a"}}) })
	moved("an epoch begins", func() {
		b := own()
		b.Own.Feature = 2
		begun(t, l, b)
	})
	first := newLog(t)
	begun(t, first, own())
	if bytes.Contains(first.snapshot(), []byte("tokens")) {
		t.Error("a group of level 1 has a row of a table that came later")
	}
}
