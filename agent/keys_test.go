package agent

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/memberlist"
	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/datadir"
	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/keyring"
	"github.com/musterhq/muster/agent/peerport"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// keyFile is a file with a new key, and the key.
func keyFile(t *testing.T) (path, key string) {
	t.Helper()
	path, key = filepath.Join(t.TempDir(), "gossip.key"), keyring.Generate()
	if err := os.WriteFile(path, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, key
}

func idOf(t *testing.T, key string) string {
	t.Helper()
	id, err := keyring.IDOf(key)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// inLockedBubble is three peers whose gossip is encrypted.
func inLockedBubble(t *testing.T, test func(t *testing.T, w *world, first string)) {
	path, first := keyFile(t)
	inBubbleOf(t, 3, func(c *Config) { c.GossipKeyFile = path }, func(t *testing.T, w *world) { test(t, w, idOf(t, first)) })
}

// Three peers change their key step by step, each step asked of another one, and all are heard all the time.
func TestKeyringIsChangedOnAllPeers(t *testing.T) {
	inLockedBubble(t, func(t *testing.T, w *world, first string) {
		w.clusters(2, 2)
		w.discover(nil)
		for _, p := range w.peers {
			p.await("2 healthy clusters", healthy(2))
		}
		second := keyring.Generate()
		next := idOf(t, second)
		held := func(want ...httpd.GossipKey) {
			t.Helper()
			for _, p := range w.peers {
				k, err := keysFace{p.Agent}.Keyring(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, k.Keys); diff != "" || len(k.Peers) != 3 {
					t.Error(p.name, diff, k.Peers)
				}
			}
		}
		act := func(p *peer, do func(keysFace, context.Context, string) (httpd.Keyring, error), key string) error {
			_, err := do(keysFace{p.Agent}, t.Context(), key)
			return err
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Minute)
		}
		held(httpd.GossipKey{ID: first, Peers: 3, InUse: 3})
		if err := act(w.peers[0], keysFace.UseKey, next); !errorIs(err, fsm.ErrConflict) || !strings.Contains(err.Error(), "install") {
			t.Errorf("a key that nobody holds is used: %v", err)
		}
		if err := act(w.peers[0], keysFace.RemoveKey, first); !errorIs(err, fsm.ErrConflict) {
			t.Errorf("the key in use is removed: %v", err)
		}
		for range 2 { // each step may be repeated
			must(act(w.peers[0], keysFace.InstallKey, second))
			held(httpd.GossipKey{ID: first, Peers: 3, InUse: 3}, httpd.GossipKey{ID: next, Peers: 3})
		}
		for range 2 {
			must(act(w.peers[1], keysFace.UseKey, next))
			held(httpd.GossipKey{ID: next, Peers: 3, InUse: 3}, httpd.GossipKey{ID: first, Peers: 3})
		}
		for range 2 {
			must(act(w.peers[2], keysFace.RemoveKey, first))
			held(httpd.GossipKey{ID: next, Peers: 3, InUse: 3})
		}
		for _, p := range w.peers {
			for _, m := range p.gossip.Members() {
				if m.Status != gossip.Alive || m.Since.After(time.Now().Add(-6*time.Minute)) {
					t.Errorf("%s saw %s %s since %v", p.name, m.Name, m.Status, m.Since)
				}
			}
			if lines := p.said.with(second); len(lines) > 0 {
				t.Errorf("%s logged the key: %s", p.name, lines)
			}
		}
		p := w.peers[2] // the ring outlives the process; the file gives the first key alone
		p.end()
		p.start(nil)
		p.await("all peers' rows", rows(3))
		held(httpd.GossipKey{ID: next, Peers: 3, InUse: 3})
		if lines := p.said.with("is not on this peer's keyring"); len(lines) != 1 {
			t.Errorf("%d lines about the file's key", len(lines))
		}
	})
}

// A peer that was away when the key was changed is named by the others, is told what to do, and comes back by it.
func TestPeerThatWasAwayWhileTheKeyChanged(t *testing.T) {
	inLockedBubble(t, func(t *testing.T, w *world, first string) {
		a, c := w.peers[0], w.peers[2]
		c.end()
		_, second := keyFile(t)
		next := idOf(t, second)
		face := keysFace{a.Agent}
		if _, err := face.InstallKey(t.Context(), second); !errorIs(err, fsm.ErrUnknown) || !strings.Contains(err.Error(), c.name) {
			t.Errorf("install without one peer: %v", err)
		}
		if _, err := face.UseKey(t.Context(), next); !errorIs(err, fsm.ErrUnknown) {
			t.Errorf("use without one peer: %v", err)
		}
		if _, err := face.RemoveKey(t.Context(), first); !errorIs(err, fsm.ErrUnknown) {
			t.Errorf("remove without one peer: %v", err)
		}
		c.start(nil)
		<-time.After(2 * time.Minute)
		if lines := c.said.with("remove keyring.json"); len(lines) == 0 {
			t.Error("the peer that was away does not say what to do")
		}
		k, err := face.Keyring(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := []httpd.GossipKey{{ID: next, Peers: 2, InUse: 2}, {ID: first, Peers: 1, InUse: 1}}
		if diff := cmp.Diff(want, k.Keys); diff != "" {
			t.Error("the peer port carries what gossip does not:", diff)
		}
		for _, step := range []struct {
			do  func(context.Context, string) (httpd.Keyring, error)
			key string
		}{{face.InstallKey, second}, {face.UseKey, next}, {face.RemoveKey, first}} {
			if _, err := step.do(t.Context(), step.key); err != nil {
				t.Fatal(err)
			}
		}
		w.allAlive(time.Minute)
	})
}

// Where the steps cannot be done again, a new ring is begun from the file.
func TestPeerThatBeginsItsKeyringAnew(t *testing.T) {
	inLockedBubble(t, func(t *testing.T, w *world, _ string) {
		c := w.peers[2]
		c.end()
		path, second := keyFile(t)
		face := keysFace{w.peers[0].Agent}
		_, _ = face.InstallKey(t.Context(), second) // they fail: one peer does not follow
		_, _ = face.UseKey(t.Context(), idOf(t, second))
		if err := os.Remove(filepath.Join(c.dir, datadir.FileKeyring)); err != nil {
			t.Fatal(err)
		}
		c.start(func(cfg *Config) { cfg.GossipKeyFile = path })
		w.allAlive(time.Minute)
	})
}

// allAlive lets time pass, and then all peers see all alive.
func (w *world) allAlive(d time.Duration) {
	w.t.Helper()
	w.pass(d)
	for _, p := range w.peers {
		for _, m := range p.gossip.Members() {
			if m.Status != gossip.Alive {
				w.t.Errorf("%s sees %s %s", p.name, m.Name, m.Status)
			}
		}
	}
}

// Where gossip is in the clear there is no ring to change, and the message says how to get one.
func TestKeyringWithoutAKey(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, w *world) {
		face := keysFace{w.peers[0].Agent}
		_, err := face.InstallKey(t.Context(), keyring.Generate())
		if !errorIs(err, fsm.ErrConflict) || !strings.Contains(err.Error(), "-gossip-key-file") {
			t.Errorf("install: %v", err)
		}
		some := keyring.ID(make([]byte, 32))
		if _, err := face.UseKey(t.Context(), some); !errorIs(err, fsm.ErrConflict) || !strings.Contains(err.Error(), "-gossip-key-file") {
			t.Errorf("use: %v", err)
		}
		if _, err := face.RemoveKey(t.Context(), some); !errorIs(err, fsm.ErrConflict) || !strings.Contains(err.Error(), "-gossip-key-file") {
			t.Errorf("remove: %v", err)
		}
		k, err := face.Keyring(t.Context())
		want := httpd.Keyring{Keys: []httpd.GossipKey{}, Peers: []httpd.KeyringPeer{
			{Name: w.peers[0].name, Keys: []string{}, Error: errNoKey.Error()},
		}}
		if diff := cmp.Diff(want, k, cmpopts.IgnoreFields(httpd.KeyringPeer{}, "ID")); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
}

// A step that no peer took is not told as one that some took.
func TestAKeyThatNoPeerHasRoomFor(t *testing.T) {
	inLockedBubble(t, func(t *testing.T, w *world, _ string) {
		face := keysFace{w.peers[0].Agent}
		for range 7 {
			if _, err := face.InstallKey(t.Context(), keyring.Generate()); err != nil {
				t.Fatal(err)
			}
		}
		_, err := face.InstallKey(t.Context(), keyring.Generate())
		if err == nil || !strings.Contains(err.Error(), "no peer did") || strings.Contains(err.Error(), "others") {
			t.Errorf("a ninth key: %v", err)
		}
	})
}

// Who holds the key is believed as far as gossip goes, which is a hint: it gets no work, no row, no vote, and changes no key.
func TestKeyholderOutsideTheGroup(t *testing.T) {
	inLockedBubble(t, func(t *testing.T, w *world, first string) {
		w.clusters(4, 2)
		w.discover(nil)
		leader := w.leader()
		ring := leader.keys.Memberlist().GetKeys()
		keys, err := memberlist.NewKeyring(ring, ring[0])
		if err != nil {
			t.Fatal(err)
		}
		transport, err := w.gossip.Listen("127.0.9.9:8652")
		if err != nil {
			t.Fatal(err)
		}
		intruder := ulid.Make().String()
		timing := gossip.Loopback()
		g, err := gossip.New(gossip.Config{
			Self: gossip.Member{
				ID: intruder, Name: "intruder", Group: leader.groupID(), Version: "1", PeerAddr: "127.0.9.9:8651", HTTPAddr: "127.0.9.9:8650",
				Worker: true, HasLog: true,
			},
			Transport: transport, Keyring: keys, Timings: timing, Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- g.Run(ctx) }()
		defer func() {
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()
		if n, err := g.Join(ctx, []string{leader.host + ":8652"}); n != 1 {
			t.Fatal(err)
		}
		port, err := peerport.New(peerport.Config{
			ID: intruder, Group: leader.groupID, Listener: w.net.Listen("127.0.9.9:8651"), Dial: w.net.DialFrom("127.0.9.9"),
			Resolve: func(string) (string, bool) { return leader.cfg.PeerAddr, true },
			Handler: leader.handler(), Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
		})
		if err != nil {
			t.Fatal(err)
		}
		running := make(chan error, 1)
		go func() { running <- port.Run(ctx) }()
		defer func() {
			stop()
			<-running
		}()
		for range 10 {
			var answer keyringAnswer
			install := keyringRequest{Op: keyringInstall, Key: keyring.Generate()}
			err := exchange(ctx, port.Client().Do, peerport.Request{Peer: leader.id, Path: pathKeyring}, install, &answer)
			if err == nil {
				t.Error("it changed the keyring")
			}
			said := word{Peer: fsm.Peer{ID: intruder, Name: "intruder", Worker: true, Status: fsm.PeerAlive}, Applied: 1 << 40}
			_ = exchange(ctx, port.Client().Do, peerport.Request{Peer: leader.id, Path: pathHear}, said, &nothing{})
			for range 20 {
				<-time.After(100 * time.Millisecond)
				r := leader.machine.Read()
				if r.Peer(intruder) != nil {
					t.Error("it has a row")
				}
				for claim := range r.ClaimsOf(intruder) {
					t.Errorf("it was given %+v", claim)
				}
			}
		}
		// The port may let in who is in gossip while no leader is known; the keyring does not.
		_, err = leader.serveKeyring(ctx, keyringRequest{Op: keyringInstall, Key: keyring.Generate()})
		if !errorIs(err, &fsm.Error{Code: fsm.CodeForbidden}) {
			t.Errorf("somebody outside the group is answered %v", err)
		}
		if diff := cmp.Diff([]string{first}, leader.keys.IDs()); diff != "" {
			t.Error(diff)
		}
	})
}

// A group in the clear gets its first key peer by peer: those with it and those without do not gossip, and all goes on.
func TestFirstKeyOfAGroupThatRuns(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		w.clusters(2, 2)
		w.discover(nil)
		path, _ := keyFile(t)
		w.pass(time.Minute) // where the others are is on disk
		for _, p := range w.peers {
			p.end()
			p.start(func(c *Config) { c.GossipKeyFile = path })
			w.pass(time.Minute)
			for _, q := range w.peers {
				q.await("all peers' rows", rows(3))
				q.await("2 healthy clusters", healthy(2))
			}
		}
		w.allAlive(time.Minute)
	})
}

// Once there is a keyring a peer needs no file for a first key, off loopback either.
func TestKeyringCountsAsAKey(t *testing.T) {
	c := Config{DataDir: t.TempDir(), ACL: true, TLS: TLS{CAFile: "ca", CertFile: "cert", KeyFile: "key"}}
	if err := c.exposed("-peer-addr", "10.0.0.1:8651"); err == nil || !strings.Contains(err.Error(), "-gossip-key-file") {
		t.Errorf("without a key: %v", err)
	}
	if err := os.WriteFile(filepath.Join(c.DataDir, datadir.FileKeyring), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.exposed("-peer-addr", "10.0.0.1:8651"); err != nil {
		t.Error(err)
	}
}
