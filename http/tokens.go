package httpd

import (
	"net/http"
	"strconv"

	"github.com/musterhq/muster/fsm"
)

const minTTL = fsm.Second

func (s *Server) listTokens(w http.ResponseWriter, r *http.Request) error {
	return readPage(s, w, r, fsm.SetTokens, func(g glance, l listing) (source[*fsm.Token, TokenRow], error) {
		return source[*fsm.Token, TokenRow]{
			items: g.Tokens(l.after), key: func(t *fsm.Token) string { return t.Accessor }, row: tokenRow,
		}, nil
	})
}

func (s *Server) showToken(w http.ResponseWriter, r *http.Request) error {
	return s.answerToken(w, r, r.PathValue("accessor"))
}

// showOwnToken tells who shows a token what it is.
func (s *Server) showOwnToken(w http.ResponseWriter, r *http.Request) error {
	p := passOf(r.Context())
	if p == nil {
		return errNoACL()
	}
	return s.answerToken(w, r, p.accessor)
}

func (s *Server) answerToken(w http.ResponseWriter, r *http.Request, accessor string) error {
	return s.read(w, r, []fsm.Set{fsm.SetTokens}, func(g glance) (any, error) {
		t := g.Token(accessor)
		if t == nil {
			return nil, noSuchToken(accessor)
		}
		return tokenRow(t), nil
	})
}

func noSuchToken(accessor string) error {
	return fsm.Errorf(fsm.CodeNotFound, "there is no token with the accessor %q", accessor)
}

// errNoACL refuses to make tokens where nobody needs one: what was made then would be good once ACLs are on.
func errNoACL() error {
	return fsm.Errorf(fsm.CodeConflict, "ACLs are off on this peer, so that everybody may do everything: start all peers with -acl first")
}

func (s *Server) createToken(w http.ResponseWriter, r *http.Request) error {
	var body NewToken
	if err := readBody(w, r, &body); err != nil {
		return err
	}
	if !s.ACL {
		return errNoACL()
	}
	t := fsm.Token{Rights: body.Roles, Description: body.Description}
	switch {
	case body.TTL < 0 || body.TTL > 0 && body.TTL < minTTL:
		return fsm.Invalid("ttl", "%s is shorter than %s", body.TTL, minTTL)
	case body.TTL > 0:
		t.Expires = s.Clock.Now().Add(body.TTL)
	}
	return s.makeToken(w, r, t, func(t fsm.Token) fsm.Command {
		return &fsm.TokenCreate{Token: t, Cause: causeOf(r)}
	})
}

// makeToken gives a token its accessor and secret, has it stored, and answers with both. The secret leaves this function in the
// answer alone.
func (s *Server) makeToken(w http.ResponseWriter, r *http.Request, t fsm.Token, by func(fsm.Token) fsm.Command) error {
	accessor, secret := s.Access.Mint()
	t.Accessor, t.Hash = accessor, fsm.HashSecret(secret)
	if err := t.Validate(s.Clock.Now()); err != nil {
		return err
	}
	res, err := s.propose(r.Context(), by(t))
	if err != nil {
		return err
	}
	t.Index = res.Index
	return s.reply(w, r, http.StatusOK, TokenMade{TokenRow: tokenRow(&t), Secret: secret})
}

// deleteToken takes a token away; its requests end. Nobody deletes the token that he shows, so that the last one who may manage
// is not deleted by mistake.
func (s *Server) deleteToken(w http.ResponseWriter, r *http.Request) error {
	accessor := r.PathValue("accessor")
	if p := passOf(r.Context()); p != nil && p.accessor == accessor {
		return fsm.Errorf(fsm.CodeConflict, "this is the token that you show: delete it with another one")
	}
	g, err := s.look(r.Context())
	if err != nil {
		return err
	}
	if g.Token(accessor) == nil {
		return s.reply(w, r, http.StatusOK, Ack{Index: g.Wait(fsm.SetTokens).Index})
	}
	res, err := s.propose(r.Context(), &fsm.TokenDelete{Accessors: []string{accessor}, Cause: causeOf(r)})
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, Ack{Index: res.Index, Changed: true})
}

// bootstrapACL makes the first token, for whoever proves that this peer's data directory is his.
func (s *Server) bootstrapACL(w http.ResponseWriter, r *http.Request) error {
	var body Bootstrap
	if err := readBody(w, r, &body); err != nil {
		return err
	}
	if !s.ACL {
		return errNoACL()
	}
	if err := s.Access.Prove(body.Proof, fromLoopback(r)); err != nil {
		return s.refuse(r, unprovedBootstrap, fsm.Errorf(fsm.CodeForbidden, "%s", err))
	}
	g, err := s.look(r.Context())
	if err != nil {
		return err
	}
	if at := g.Meta().Bootstrapped; at != 0 && at != body.Index {
		return bootstrappedAt(at)
	}
	first := fsm.Token{Rights: []fsm.Right{fsm.MayManage, fsm.MaySnapshot}, Description: "bootstrap"}
	err = s.makeToken(w, r, first, func(t fsm.Token) fsm.Command {
		return &fsm.TokenBootstrap{Token: t, Reset: body.Index, Cause: causeOf(r)}
	})
	if err == nil {
		s.Access.Proved()
	}
	return err
}

func bootstrappedAt(index uint64) error {
	at := strconv.FormatUint(index, 10)
	return fsm.Errorf(fsm.CodeConflict, "this group has its first token already, made at index %s. If no token with the role manage is "+
		"left: muster operator acl-reset -data-dir DIR -index %s, on the machine of a peer, makes another one", at, at).With("index", at)
}
