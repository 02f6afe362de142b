package agent

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/agent/memnet"
	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// source is a discovery backend in memory.
type source struct {
	mu      sync.Mutex
	records []fsm.Record
	err     error
	wait    time.Duration // before it answers
	reads   int
}

// Read is discovery.Backend's.
func (s *source) Read(ctx context.Context, _ discovery.Want) ([]fsm.Record, error) {
	s.mu.Lock()
	s.reads++
	records, err, wait := slices.Clone(s.records), s.err, s.wait
	s.mu.Unlock()
	if wait > 0 && !life.Pause(ctx, wait) {
		return nil, context.Cause(ctx)
	}
	return records, err
}

func (s *source) set(records []fsm.Record, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records, s.err = records, err
}

// slow makes the source answer late.
func (s *source) slow(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wait = by
}

func (s *source) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

// nodes plays nodes that speak the node protocol.
type nodes struct {
	net   *memnet.Network
	mu    sync.Mutex
	docs  map[string]refresh.Document // by host:port
	wait  map[string]time.Duration
	srvs  map[string]*http.Server
	asked map[string]int
	done  sync.WaitGroup
}

func newNodes(n *memnet.Network) *nodes {
	return &nodes{
		net: n, docs: map[string]refresh.Document{}, wait: map[string]time.Duration{}, srvs: map[string]*http.Server{},
		asked: map[string]int{},
	}
}

// say lets a node at an address say something from now on, starting it if it was not there.
func (n *nodes) say(addr string, doc refresh.Document) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.docs[addr] = doc
	if n.srvs[addr] != nil {
		return
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n.serve(addr, w, r) })}
	n.srvs[addr] = srv
	l := n.net.Listen(addr)
	n.done.Go(func() { _ = srv.Serve(l) })
}

func (n *nodes) serve(addr string, w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	doc, wait := n.docs[addr], n.wait[addr]
	n.asked[addr]++
	n.mu.Unlock()
	if wait > 0 && !life.Pause(r.Context(), wait) {
		return
	}
	tag, err := doc.ETag()
	if err != nil {
		panic(err)
	}
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body, err := doc.Encode()
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

// slow makes nodes answer late: what they say is what they had to say when they were asked.
func (n *nodes) slow(by time.Duration, addrs ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, addr := range addrs {
		n.wait[addr] = by
	}
}

// kill closes a node: its port refuses.
func (n *nodes) kill(addr string) {
	n.mu.Lock()
	srv := n.srvs[addr]
	delete(n.srvs, addr)
	n.mu.Unlock()
	_ = srv.Close()
}

// polls is how often nodes were asked, by address.
func (n *nodes) polls(addrs ...string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	sum := 0
	for _, addr := range addrs {
		sum += n.asked[addr]
	}
	return sum
}

func (n *nodes) close() {
	n.mu.Lock()
	for _, srv := range n.srvs {
		_ = srv.Close()
	}
	n.mu.Unlock()
	n.done.Wait()
}

// addrOf is where the world's node i of cluster c is.
func addrOf(c, i int) string { return fmt.Sprintf("127.1.%d.%d:8655", c, i+1) }

// addrsOf are the addresses of n clusters of m nodes.
func addrsOf(n, m int) []string {
	var out []string
	for c := range n {
		for i := range m {
			out = append(out, addrOf(c, i))
		}
	}
	return out
}

// recordOf lists the world's node i of cluster c.
func recordOf(c, i int) fsm.Record {
	return fsm.Record{
		Cluster: fmt.Sprintf("c%02d", c), Node: fmt.Sprintf("n%d", i), Address: fmt.Sprintf("127.1.%d.%d", c, i+1), Port: 8655,
	}
}

// recordsOf lists n clusters of m nodes.
func recordsOf(n, m int) []fsm.Record {
	var out []fsm.Record
	for c := range n {
		for i := range m {
			out = append(out, recordOf(c, i))
		}
	}
	return out
}

// clusters lists and plays n clusters of m nodes each, the first node being the primary of shard 0.
func (w *world) clusters(n, m int) {
	for c := range n {
		for i := range m {
			w.nodes.say(addrOf(c, i), documentOf(c, i))
		}
	}
	w.source.set(recordsOf(n, m), nil)
}

// documentOf is what node i of cluster c says while all is well.
func documentOf(c, i int) refresh.Document {
	r := recordOf(c, i)
	doc := refresh.Document{
		Protocol: 1, NodeID: r.Node, ClusterID: r.Cluster, Kind: "redis", Version: "7.0.15", State: fsm.StateUp,
		Shards: []refresh.DocumentShard{{ID: "0", Role: fsm.RoleReplica}},
	}
	if i == 0 {
		doc.Shards[0].Role = fsm.RolePrimary
	}
	return doc
}

// versioned is what a node says when it runs another version.
func versioned(c, i int, version string) refresh.Document {
	doc := documentOf(c, i)
	doc.Version = version
	return doc
}
