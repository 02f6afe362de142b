package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/keyring"
	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/agent/peerport"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

const (
	keyringWait  = 3 * time.Second  // for one peer
	keyringStep  = 8 * time.Second  // for a whole step
	keyringTurn  = 25 * time.Second // until it is a step's turn, and it is done
	keyringAtOne = 16               // peers asked side by side
)

// callKeyring takes a step on all peers. The leader takes them one after the other: what another operator does between the look at who
// would be cut off and the step itself could cut one off all the same.
var callKeyring = leaderCall[keyringRequest, httpd.Keyring]{path: "/keyring-step", do: (*term).changeKeys, wait: keyringTurn}

// keysFace is this peer's httpd.Keys.
type keysFace struct{ *Agent }

// KeyID names a key.
func (f keysFace) KeyID(key string) (string, error) { return keyring.IDOf(key) }

// Keyring asks all peers which keys they hold.
func (f keysFace) Keyring(ctx context.Context) (httpd.Keyring, error) {
	return f.everywhere(ctx, keyringRequest{Op: keyringList}), nil
}

// InstallKey adds a key on all peers.
func (f keysFace) InstallKey(ctx context.Context, key string) (httpd.Keyring, error) {
	return callKeyring.call(ctx, f.Agent, keyringRequest{Op: keyringInstall, Key: key})
}

// UseKey has all peers encrypt with a key.
func (f keysFace) UseKey(ctx context.Context, id string) (httpd.Keyring, error) {
	return callKeyring.call(ctx, f.Agent, keyringRequest{Op: keyringUse, Key: id})
}

// RemoveKey takes a key from all peers.
func (f keysFace) RemoveKey(ctx context.Context, id string) (httpd.Keyring, error) {
	return callKeyring.call(ctx, f.Agent, keyringRequest{Op: keyringRemove, Key: id})
}

// changeKeys takes a step on all peers while no other step is under way: none of this term, and none that an earlier leader began
// when it still led.
func (t *term) changeKeys(ctx context.Context, q keyringRequest) (httpd.Keyring, error) {
	if caller, called := peerport.CallerOf(ctx); called {
		if err := t.agent.mayChangeKeys(caller.ID); err != nil {
			return httpd.Keyring{}, err
		}
		ctx = errand{ctx}
	}
	select {
	case t.keyring <- struct{}{}:
		defer func() { <-t.keyring }()
	case <-ctx.Done():
		return httpd.Keyring{}, fsm.Errorf(fsm.CodeUnavailable, "another change of the keyring is under way; it was not done, try again")
	}
	if !life.Pause(ctx, keyringStep-time.Since(t.began)) {
		return httpd.Keyring{}, consensus.ErrNotLeading
	}
	if err := t.leads(ctx); err != nil || !t.lasts() {
		return httpd.Keyring{}, errors.Join(consensus.ErrNotLeading, err)
	}
	ctx, cancel := context.WithTimeout(ctx, keyringStep)
	defer cancel()
	f := keysFace{t.agent}
	if err := f.cutsOff(ctx, q); err != nil {
		return httpd.Keyring{}, err
	}
	return f.spread(ctx, q)
}

// errand is the context of what a leader asks others on behalf of a peer that called it: no request that is passed on.
type errand struct{ context.Context } //nolint:containedctx // it is one

// Value is context.Context's.
func (errand) Value(any) any { return nil }

// cutsOff refuses a step that would cut peers off. While one that answers does not hold a key it is not used: that peer would no
// longer understand the others. While one that answers encrypts with it it is not removed: the others would no longer understand it.
func (f keysFace) cutsOff(ctx context.Context, q keyringRequest) error {
	var cut []string
	why := ""
	switch q.Op {
	case keyringUse:
		cut = f.peersThat(ctx, func(p httpd.KeyringPeer) bool { return !slices.Contains(p.Keys, q.Key) })
		why = "is not installed there: muster keyring install it on all peers first"
	case keyringRemove:
		cut = f.peersThat(ctx, func(p httpd.KeyringPeer) bool { return len(p.Keys) > 0 && p.Keys[0] == q.Key })
		why = "is in use there: muster keyring use another one first"
	}
	if len(cut) == 0 {
		return nil
	}
	return fsm.Errorf(fsm.CodeConflict, "%s would be cut off, since the key %s %s", strings.Join(cut, ", "), q.Key, why)
}

// peersThat are the names of those peers that answer and of which it is true.
func (f keysFace) peersThat(ctx context.Context, is func(httpd.KeyringPeer) bool) (names []string) {
	for _, p := range f.everywhere(ctx, keyringRequest{Op: keyringList}).Peers {
		if p.Error == "" && is(p) {
			names = append(names, p.Name)
		}
	}
	return names
}

// spread takes a step on every peer, and fails when one did not follow.
func (f keysFace) spread(ctx context.Context, q keyringRequest) (httpd.Keyring, error) {
	if f.keys == nil {
		return httpd.Keyring{}, fsm.Errorf(fsm.CodeConflict, "%s", errNoKey)
	}
	out := f.everywhere(ctx, q)
	var behind []string
	e := fsm.Errorf(fsm.CodeUnknown, "")
	for _, p := range out.Peers {
		if p.Error != "" {
			behind = append(behind, p.Name+" ("+p.Error+")")
			e = e.With(p.Name, p.Error)
		}
	}
	switch len(behind) {
	case 0:
		return out, nil
	case len(out.Peers):
		e.Message = fmt.Sprintf("no peer did %s the key: %s", q.Op, strings.Join(behind, ", "))
		return out, e
	}
	e.Message = fmt.Sprintf("%d of %d peers did not %s the key: %s. The others did. Do it again once these are back; a peer that is "+
		"gone for good is let go with muster force-leave", len(behind), len(out.Peers), q.Op, strings.Join(behind, ", "))
	return out, e
}

// everywhere takes a step on every peer side by side.
func (f keysFace) everywhere(ctx context.Context, q keyringRequest) httpd.Keyring {
	peers := f.keyholders()
	var group errgroup.Group
	group.SetLimit(keyringAtOne)
	for i := range peers {
		group.Go(func() error {
			answer, err := f.keyringOf(ctx, peers[i].ID, q)
			peers[i].Keys = answer.Keys
			if err != nil {
				peers[i].Error, peers[i].Keys = err.Error(), []string{}
			}
			return nil
		})
	}
	_ = group.Wait()
	return httpd.Keyring{Keys: countKeys(peers), Peers: peers}
}

func (f keysFace) keyringOf(ctx context.Context, id string, q keyringRequest) (answer keyringAnswer, err error) {
	if id == f.id {
		return f.changeKeyring(q)
	}
	ctx, cancel := context.WithTimeout(ctx, keyringWait)
	defer cancel()
	err = f.ask(ctx, id, pathKeyring, q, &answer)
	return answer, err
}

// keyholders are all servers of the group, and the living members that are about to be.
func (f keysFace) keyholders() []httpd.KeyringPeer {
	names := map[string]string{f.id: f.cfg.Name}
	for _, m := range f.gossip.Members() {
		if m.Status == gossip.Alive {
			names[m.ID] = m.Name
		}
	}
	r := f.machine.Read()
	if servers, err := f.configuration(); err == nil {
		for _, s := range servers {
			names[string(s.ID)] = string(s.ID)
			if p := r.Peer(string(s.ID)); p != nil {
				names[string(s.ID)] = p.Name
			}
		}
	}
	out := make([]httpd.KeyringPeer, 0, len(names))
	for id, name := range names {
		out = append(out, httpd.KeyringPeer{ID: id, Name: name})
	}
	slices.SortFunc(out, func(a, b httpd.KeyringPeer) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// countKeys counts who holds and who uses each key, the most used first.
func countKeys(peers []httpd.KeyringPeer) []httpd.GossipKey {
	by := map[string]*httpd.GossipKey{}
	out := []httpd.GossipKey{}
	for _, p := range peers {
		for i, id := range p.Keys {
			if by[id] == nil {
				by[id] = &httpd.GossipKey{ID: id}
			}
			by[id].Peers++
			if i == 0 {
				by[id].InUse++
			}
		}
	}
	for _, k := range by {
		out = append(out, *k)
	}
	slices.SortFunc(out, func(a, b httpd.GossipKey) int {
		return cmp.Or(cmp.Compare(b.InUse, a.InUse), cmp.Compare(b.Peers, a.Peers), cmp.Compare(a.ID, b.ID))
	})
	return out
}
