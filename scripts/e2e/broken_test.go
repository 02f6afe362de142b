package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/scripts/rig"
)

// TestBrokenPeer has a peer that can ask no node: it lacks the password they want, which is kept on each peer. The others
// can ask, so no node may become unreachable, and the peer is doubted; also when it is the broken peer that leads.
func TestBrokenPeer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const password, clusters = "open-sesame", 24
	_, addr, err := w.rig.Redis(w.soon(), "redis", "--requirepass", password)
	w.must(err)
	g := w.group()
	broken := w.follower(g)
	var whole *rig.Peer
	for _, p := range g.Peers {
		if p == broken {
			continue
		}
		whole = p
		w.must(os.Mkdir(filepath.Join(p.Data, "secrets"), 0o700))
		w.must(os.WriteFile(filepath.Join(p.Data, "secrets", "redis"), []byte(password+"\n"), 0o600))
	}
	events := w.follow(whole)
	w.until("all peers to have joined", func(context.Context) error {
		if n := events.count(0, want{kind: fsm.PeerJoined}); n != len(g.Peers) {
			return fmt.Errorf("%d have", n)
		}
		return nil
	})
	w.apply(whole, "redis", object{
		"backend": "file", "config": object{"files": []string{w.listMany(clusters, addr)}},
		"refresh": object{"prober": "redis", "config": object{"password_file": "redis"}, "interval": "1s", "timeout": "1s"},
	})
	w.allHealthy(whole, clusters)
	w.doubts(events, 0, broken, whole)

	// A new leader has yet to learn whom to doubt, and whom it may ask for a second opinion.
	mark := events.mark()
	lame, err := broken.API.Self(w.soon())
	w.must(err)
	w.must(whole.API.TransferLeader(w.soon(), lame.Member.ID))
	w.doubts(events, mark, broken, whole)
	w.exactly(0, events, 0, want{kind: fsm.NodeUnreachable})
	w.exactly(2, events, 0, want{kind: fsm.PeerDoubted})
}

// doubts waits until the broken peer is doubted, and then for all clusters to be refreshed by others.
func (w *world) doubts(events *stream, from int, broken, ask *rig.Peer) {
	w.Helper()
	doubted := w.await(events, from, want{kind: fsm.PeerDoubted})
	var row fsm.PeerPart
	w.must(json.Unmarshal(doubted.After, &row))
	if row.Name != broken.Name {
		w.Errorf("%s is doubted, but %s is broken", row.Name, broken.Name)
	}
	w.until("all clusters to be refreshed by other peers", func(ctx context.Context) error {
		shown, err := allClusters(ctx, ask)
		for _, c := range shown {
			if err == nil && (c.LastRefresh.At < doubted.Time || c.LastRefresh.Peer == broken.Name) {
				err = fmt.Errorf("%s was last refreshed by %s", c.Name, c.LastRefresh.Peer)
			}
		}
		return err
	})
}

// listMany writes a file that lists clusters of one node, all at one address.
func (w *world) listMany(clusters int, addr string) string {
	w.Helper()
	host, digits, err := net.SplitHostPort(addr)
	w.must(err)
	port, err := strconv.Atoi(digits)
	w.must(err)
	var list []object
	for i := range clusters {
		node := object{"id": "node", "address": host, "port": port}
		list = append(list, object{"cluster": fmt.Sprintf("cluster-%02d", i), "nodes": []object{node}})
	}
	return w.write("list.json", list)
}

// write writes a value as JSON into a file of the world.
func (w *world) write(name string, v any) string {
	w.Helper()
	raw, err := json.Marshal(v)
	w.must(err)
	path := filepath.Join(w.rig.Dir, name)
	w.must(os.WriteFile(path, raw, 0o600))
	return path
}
