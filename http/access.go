package httpd

import (
	"context"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"github.com/musterhq/muster/fsm"
)

// What an endpoint may need beside the rights that tokens hold.
const (
	public  fsm.Right = "public"  // no token
	anybody fsm.Right = "anybody" // any token that is good
)

// Why a request was refused, as the metric counts it.
const (
	noToken      = "no_token"
	unknownToken = "unknown_token"
	expiredToken = "expired_token"
	weakToken    = "weak_token"

	unprovedBootstrap = "bootstrap"
)

// pass is the token that a request was let in with.
type pass struct {
	accessor  string
	hash      []byte
	expires   fsm.Time
	confirmed bool // by all that the leader knows, too
}

type passKey struct{}

// passOf is the token of a request, nil where none was asked for.
func passOf(ctx context.Context) *pass {
	p, _ := ctx.Value(passKey{}).(*pass)
	return p
}

// good says whether a token is still what it was when its request was let in. A request that lasts asks again before each thing
// it tells.
func (p *pass) good(r *fsm.Reader, now fsm.Time) error {
	if p == nil {
		return nil
	}
	switch t := r.TokenOf(p.hash); {
	case t == nil:
		return fsm.Errorf(fsm.CodeForbidden, "the token %s was deleted", p.accessor)
	case t.Expired(now):
		return fsm.Errorf(fsm.CodeForbidden, "the token %s expired at %s", p.accessor, t.Expires)
	}
	return nil
}

// still judges the token of a request that lasts by what this peer knows now.
func (s *Server) still(ctx context.Context) error {
	if passOf(ctx) == nil {
		return nil
	}
	reader, _, err := s.Replica.Read(ctx, Stale)
	if err != nil {
		return err
	}
	return passOf(ctx).good(reader, s.Clock.Now())
}

// confirm judges the token of a request that is about to change something by all that was acknowledged before it, once: this peer
// may not have heard yet that the token was deleted.
func (s *Server) confirm(ctx context.Context) error {
	if p := passOf(ctx); p == nil || p.confirmed {
		return nil
	}
	_, err := s.look(ctx)
	return err
}

// lapse fires when a token has expired by a clock that shows now; never for one that does not expire. Logical time may stand
// behind the timer, so that who waits looks again and takes another one.
func (p *pass) lapse(now fsm.Time) <-chan time.Time {
	if p == nil || p.expires == 0 {
		return nil
	}
	return time.After(lapseIn(p.expires, now))
}

// lapseIn is how long to wait for a token's end: a day at most, since the end may be further away than a Duration tells.
func lapseIn(expires, now fsm.Time) time.Duration {
	const day = 24 * time.Hour
	return time.Duration(min(max(expires-now, 0), fsm.Time(day.Milliseconds())))*time.Millisecond + time.Millisecond
}

// admit lets a request in that shows what its endpoint needs, and remembers the token. Only headers count: who sent one in the
// URL was refused before. Where ACLs are off everybody may do everything, and a token that is sent does no harm.
func (s *Server) admit(r *http.Request, need fsm.Right) (*http.Request, error) {
	if need == public || !s.ACL {
		return r, nil
	}
	secret, err := secretOf(r)
	if err != nil {
		return nil, err
	}
	reader, _, err := s.Replica.Read(r.Context(), Stale)
	if err != nil {
		return nil, err
	}
	if secret == "" {
		return nil, s.refuse(r, noToken, fsm.Errorf(CodeUnauthorized, "this needs a token%s: send it as X-Muster-Token or "+
			"Authorization: Bearer; muster takes it from -token-file or MUSTER_HTTP_TOKEN%s", withRole(need), untilBootstrap(reader)))
	}
	hash := fsm.HashSecret(secret)
	t, now := tokenOf(reader, hash), s.Clock.Now()
	if t == nil {
		t = s.tokenElsewhere(r.Context(), hash)
	}
	switch {
	case t == nil:
		return nil, s.refuse(r, unknownToken, fsm.Errorf(fsm.CodeForbidden, "there is no such token: it was mistyped, or deleted, or "+
			"is of another group%s", untilBootstrap(reader)))
	case t.Expired(now):
		return nil, s.refuse(r, expiredToken, fsm.Errorf(fsm.CodeForbidden, "the token %s expired at %s", t.Accessor, t.Expires))
	case need != anybody && !t.May(need):
		return nil, s.refuse(r, weakToken, fsm.Errorf(fsm.CodeForbidden, "this needs the role %s; the token %s has %s",
			need, t.Accessor, rolesOf(t)))
	}
	p := &pass{accessor: t.Accessor, hash: hash, expires: t.Expires}
	return r.WithContext(context.WithValue(r.Context(), passKey{}, p)), nil
}

func withRole(need fsm.Right) string {
	if need == anybody {
		return ""
	}
	return " with the role " + string(need)
}

func rolesOf(t *fsm.Token) string {
	names := make([]string, 0, len(t.Rights))
	for _, r := range t.Rights {
		names = append(names, string(r))
	}
	return strings.Join(names, ", ")
}

func untilBootstrap(r *fsm.Reader) string {
	if r.Meta().Bootstrapped != 0 {
		return ""
	}
	return ". This group has no first token yet: muster acl bootstrap makes it"
}

// secretOf is the secret that a request shows, empty for none. Errors hold nothing of what was sent: who leaves Bearer out sends
// a secret in its place.
func secretOf(r *http.Request) (string, error) {
	for _, name := range []string{"X-Muster-Token", "Authorization"} {
		if n := len(r.Header.Values(name)); n > 1 {
			return "", fsm.Invalid(name, "is sent %d times; send it once", n)
		}
	}
	own, authorization := r.Header.Get("X-Muster-Token"), r.Header.Get("Authorization")
	if authorization == "" {
		return own, nil
	}
	scheme, bearer, _ := strings.Cut(authorization, " ")
	bearer = strings.TrimSpace(bearer)
	switch {
	case !strings.EqualFold(scheme, "Bearer"):
		return "", fsm.Errorf(CodeUnauthorized, "Authorization is not of the form taken here; send Authorization: Bearer TOKEN")
	case own != "" && own != bearer:
		return "", fsm.Invalid("X-Muster-Token", "is another token than that of Authorization; send one of them")
	}
	return bearer, nil
}

// tokenOf is the token of a hash. The lookup compares hashes, which no guess can steer; the last word has a comparison that
// takes as long whatever it finds.
func tokenOf(r *fsm.Reader, hash []byte) *fsm.Token {
	t := r.TokenOf(hash)
	if t == nil || subtle.ConstantTimeCompare(t.Hash, hash) != 1 {
		return nil
	}
	return t
}

const (
	elsewhereWait  = time.Second
	elsewherePlace = 4 // requests that ask at a time, so that who guesses keeps the leader from nothing
)

// tokenElsewhere looks for a token that this peer does not know in what the leader knows: it may have been made a moment ago,
// through another peer.
func (s *Server) tokenElsewhere(ctx context.Context, hash []byte) *fsm.Token {
	ctx, cancel := context.WithTimeout(ctx, elsewhereWait)
	defer cancel()
	select {
	case s.elsewhere <- struct{}{}:
		defer func() { <-s.elsewhere }()
	case <-ctx.Done():
		return nil
	}
	reader, _, err := s.Replica.Read(ctx, Default)
	if err != nil {
		return nil
	}
	return tokenOf(reader, hash)
}

// refuse counts a request that is not let in, and tells of it in the log, once a second at most.
func (s *Server) refuse(r *http.Request, reason string, err *fsm.Error) error {
	s.metrics.refused.WithLabelValues(reason).Inc()
	if untold, now := s.refusals.tell(time.Now()); now {
		s.log.Warn("request refused", "reason", reason, "method", r.Method, "path", r.URL.Path, "client", clientAddress(r),
			"error", err.Message, "untold_before", untold)
	}
	return err
}
