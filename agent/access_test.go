package agent

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/datadir"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func withACL(c *Config) { c.ACL = true }

// asking is a client of a peer that shows a token.
func (p *peer) asking(secret string) *httpd.Client {
	p.w.t.Helper()
	transport := &http.Transport{DialContext: p.w.net.DialFrom("127.0.9.1"), DisableKeepAlives: true}
	client, err := httpd.NewClient(httpd.ClientConfig{
		Address: p.host + ":8650", Token: secret, HTTP: &http.Client{Transport: transport},
	})
	if err != nil {
		p.w.t.Fatal(err)
	}
	return client
}

// bootstrapped makes the first token of a group through a peer.
func (p *peer) bootstrapped(index uint64) httpd.TokenMade {
	p.w.t.Helper()
	p.await("the level of tokens", func(r *fsm.Reader) bool { return r.Meta().Feature >= 2 })
	proof, takeAway, err := datadir.LayProof(p.dir)
	if err != nil {
		p.w.t.Fatal(err)
	}
	defer takeAway()
	made, err := p.asking("").Bootstrap(p.w.t.Context(), httpd.Bootstrap{Proof: proof, Index: index})
	if err != nil {
		p.w.t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(p.dir, datadir.FileProof)); !errors.Is(err, os.ErrNotExist) {
		p.w.t.Errorf("the proof is still there (%v)", err)
	}
	return made
}

// TestTokensAreTheGroups makes tokens through one peer and uses them through the others at once, after restarts and after the
// loss of a leader. Their secrets are nowhere but in the answers.
func TestTokensAreTheGroups(t *testing.T) {
	inBubbleOf(t, 3, withACL, func(t *testing.T, w *world) {
		ctx := t.Context()
		first := w.follower().bootstrapped(0)
		made, err := w.leader().asking(first.Secret).CreateToken(ctx, httpd.NewToken{Roles: []fsm.Right{fsm.MayManage}, Description: "ci"})
		if err != nil {
			t.Fatal(err)
		}
		var caught bytes.Buffer
		for _, p := range w.running() {
			ci := p.asking(made.Secret)
			ack, err := ci.PutSettings(ctx, map[string]any{"vars": map[string]string{"through": p.name}}, nil)
			if err != nil || !ack.Changed {
				t.Fatalf("%s takes a write with %+v, %v", p.name, ack, err)
			}
			told := w.leader().events(0, "settings.*")
			if len(told) == 0 || told[len(told)-1].Cause.Accessor != made.Accessor {
				t.Errorf("the write through %s is told as %+v", p.name, told)
			}
			if _, err := p.asking("").Self(ctx); !errors.Is(err, &fsm.Error{Code: httpd.CodeUnauthorized}) {
				t.Errorf("%s answers who has no token: %v", p.name, err)
			}
			if _, err := p.asking(first.Secret).Snapshot(ctx, httpd.Read{}, &caught); err != nil {
				t.Errorf("%s gives no backup: %v", p.name, err)
			}
			p.snapshot()
			p.keptIn(&caught)
			p.end()
			p.start(withACL)
			if _, err := p.asking(made.Secret).Self(ctx); err != nil {
				t.Errorf("%s has started again and answers %v", p.name, err)
			}
		}
		w.leader().crash()
		if _, err := w.leader().asking(made.Secret).PutSettings(ctx, map[string]any{"voters": 3}, nil); err != nil {
			t.Errorf("the next leader answers %v", err)
		}
		for _, p := range w.peers {
			p.keptIn(&caught)
		}
		for _, secret := range []string{first.Secret, made.Secret} {
			if strings.Contains(caught.String(), strings.TrimPrefix(secret, "muster_")) {
				t.Error("the secret of a token is in a backup, a data directory or a log")
			}
		}
	})
}

// keptIn writes all that a peer keeps or has said.
func (p *peer) keptIn(to *bytes.Buffer) {
	p.w.t.Helper()
	for path, content := range filesIn(p.w.t, p.dir) {
		to.WriteString(path + content)
	}
	for _, line := range p.said.with() {
		to.WriteString(line)
	}
	last, err := p.logs.LastIndex()
	if err != nil {
		p.w.t.Fatal(err)
	}
	for i := range last {
		var entry raft.Log
		if err := p.logs.GetLog(i+1, &entry); err == nil { // else a snapshot has taken its place
			to.Write(entry.Data)
		}
	}
	if err := p.machine.Read().WriteSnapshot(to); err != nil {
		p.w.t.Fatal(err)
	}
}

// TestRevokedAndExpiredTokens checks that what a token holds open ends on all peers within a second of its deletion or end, and
// that expired tokens are taken away.
func TestRevokedAndExpiredTokens(t *testing.T) {
	inBubbleOf(t, 3, withACL, func(t *testing.T, w *world) {
		ctx := t.Context()
		manager := w.leader().asking(w.leader().bootstrapped(0).Secret)
		ends := map[string]func(httpd.TokenMade) time.Time{
			"deleted": func(made httpd.TokenMade) time.Time {
				if _, err := manager.DeleteToken(ctx, made.Accessor); err != nil {
					t.Fatal(err)
				}
				return time.Now()
			},
			"expired": func(made httpd.TokenMade) time.Time { return made.Expires.Std() },
		}
		for _, name := range []string{"deleted", "expired"} {
			made, err := manager.CreateToken(ctx, httpd.NewToken{Roles: []fsm.Right{fsm.MayRead}, TTL: 50 * fsm.Second})
			if err != nil {
				t.Fatal(err)
			}
			followers := make(chan error)
			for _, p := range w.running() {
				go func() {
					followers <- p.asking(made.Secret).Follow(ctx, httpd.EventsQuery{After: "now"}, func(httpd.Event) error { return nil })
				}()
			}
			w.pass(10 * time.Second)
			ended := ends[name](made)
			for range w.running() {
				if err := <-followers; !errors.Is(err, &fsm.Error{Code: fsm.CodeForbidden}) || !strings.Contains(err.Error(), name) {
					t.Errorf("who follows with a token that is %s ends with %v", name, err)
				}
			}
			if late := time.Since(ended); late < 0 || late > time.Second {
				t.Errorf("who follows with a token that is %s ends %s after it", name, late)
			}
		}
		w.pass(2 * retainEvery)
		for _, p := range w.running() {
			if n := len(tokensOf(p)); n != 1 {
				t.Errorf("%s keeps %d tokens", p.name, n)
			}
			p.tells(0, "acl.*", fsm.ACLBootstrapped, fsm.TokenCreated, fsm.TokenDeleted, fsm.TokenCreated, fsm.TokenDeleted)
		}
	})
}

func tokensOf(p *peer) (out []*fsm.Token) {
	for t := range p.machine.Read().Tokens("") {
		out = append(out, t)
	}
	return out
}

// TestBootstrapWantsTheDirectory asks for first tokens without the proof, with one that was used, and with that of another peer.
func TestBootstrapWantsTheDirectory(t *testing.T) {
	inBubbleOf(t, 3, withACL, func(t *testing.T, w *world) {
		a, b := w.leader(), w.follower()
		first := a.bootstrapped(0)
		proof, takeAway, err := datadir.LayProof(b.dir)
		if err != nil {
			t.Fatal(err)
		}
		for name, ask := range map[string]func() error{
			"the proof of another peer": func() error {
				_, err := a.asking("").Bootstrap(t.Context(), httpd.Bootstrap{Proof: proof, Index: first.Index})
				return err
			},
			"half a proof": func() error {
				_, err := b.asking("").Bootstrap(t.Context(), httpd.Bootstrap{Proof: proof[1:], Index: first.Index})
				return err
			},
			"a short one": func() error {
				path := filepath.Join(a.dir, datadir.FileProof)
				defer os.Remove(path)
				if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
					t.Fatal(err)
				}
				_, err := a.asking("").Bootstrap(t.Context(), httpd.Bootstrap{Proof: "short", Index: first.Index})
				return err
			},
		} {
			if err := ask(); !errors.Is(err, &fsm.Error{Code: fsm.CodeForbidden}) {
				t.Errorf("%s is answered with %v", name, err)
			}
		}
		if _, err := b.asking("").Bootstrap(t.Context(), httpd.Bootstrap{Proof: proof}); !errors.Is(err, fsm.ErrConflict) {
			t.Errorf("a second first token is answered with %v", err)
		}
		takeAway()
		b.bootstrapped(first.Index)
		if _, _, err := datadir.LayProof(t.TempDir()); err == nil {
			t.Error("a proof is laid where no peer is")
		}
	})
}

// TestDiscordIsTold has one peer run without ACLs: all say so, where each may be seen.
func TestDiscordIsTold(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		for i, p := range w.peers {
			if warnings := (lifeFace{p.Agent}).Warnings(); len(warnings) > 0 {
				t.Errorf("while all agree %s warns of %q", p.name, warnings)
			}
			if i > 0 {
				p.end()
				p.start(withACL)
			}
		}
		w.pass(time.Minute)
		for i, p := range w.peers {
			const says = "ACLs are off on peer-a and on elsewhere"
			warnings := strings.Join(lifeFace{p.Agent}.Warnings(), "\n")
			if !strings.Contains(warnings, says) || len(p.said.with(says)) != 1 {
				t.Errorf("%s warns of %q, and says %q", p.name, warnings, p.said.with(says))
			}
			if self := (membersFace{p.Agent}).Self(); self.Member.ACL != (i > 0) {
				t.Errorf("%s says of itself %+v", p.name, self.Member)
			}
		}
	})
}
