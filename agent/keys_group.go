package agent

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/agent/gossip"
	"github.com/musterhq/muster/agent/keyring"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

const (
	keyringWait  = 5 * time.Second // for one peer
	keyringAtOne = 16              // peers asked side by side
)

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
	return f.spread(ctx, keyringRequest{Op: keyringInstall, Key: key})
}

// UseKey has all peers encrypt with a key. While one that answers does not hold it nothing is done: it would no longer
// understand the others.
func (f keysFace) UseKey(ctx context.Context, id string) (httpd.Keyring, error) {
	without := f.peersThat(ctx, func(p httpd.KeyringPeer) bool { return !slices.Contains(p.Keys, id) })
	if len(without) > 0 {
		return httpd.Keyring{}, fsm.Errorf(fsm.CodeConflict,
			"%s would be cut off, since the key %s is not installed there: muster keyring install it on all peers first",
			strings.Join(without, ", "), id)
	}
	return f.spread(ctx, keyringRequest{Op: keyringUse, Key: id})
}

// RemoveKey takes a key from all peers. While one that answers encrypts with it nothing is done: the others would no longer
// understand it.
func (f keysFace) RemoveKey(ctx context.Context, id string) (httpd.Keyring, error) {
	using := f.peersThat(ctx, func(p httpd.KeyringPeer) bool { return len(p.Keys) > 0 && p.Keys[0] == id })
	if len(using) > 0 {
		return httpd.Keyring{}, fsm.Errorf(fsm.CodeConflict,
			"%s would be cut off, since the key %s is in use there: muster keyring use another one first", strings.Join(using, ", "), id)
	}
	return f.spread(ctx, keyringRequest{Op: keyringRemove, Key: id})
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
