package e2e_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

const (
	redisInterval = 4 * time.Second
	redisTimeout  = time.Second
	// What design promises for a node that is stopped, and for one that is silent.
	refusedWithin = redisInterval + time.Second
	silentWithin  = redisInterval + 2*redisTimeout + time.Second
)

// pair is a Redis primary with a replica, registered in Consul as cluster "cache".
type pair struct {
	process map[string]*rig.Process
	addr    map[string]string
}

func (w *world) redisPair(consul string) *pair {
	w.Helper()
	p := &pair{process: map[string]*rig.Process{}, addr: map[string]string{}}
	var err error
	p.process["cache-1"], p.addr["cache-1"], err = w.rig.Redis(w.soon(), "cache-1")
	w.must(err)
	p.process["cache-2"], p.addr["cache-2"], err = w.rig.Redis(w.soon(), "cache-2")
	w.must(err)
	w.replicaOf(p.addr["cache-2"], p.addr["cache-1"])
	for id, addr := range p.addr {
		w.register(consul, "cache", id, addr)
	}
	return p
}

// replicaOf makes the Redis at addr follow another one, or no one when that is empty.
func (w *world) replicaOf(addr, of string) {
	w.Helper()
	words := "NO ONE"
	if of != "" {
		host, port, err := net.SplitHostPort(of)
		w.must(err)
		words = host + " " + port
	}
	ctx := w.soon()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	w.must(err)
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	w.must(conn.SetDeadline(deadline))
	_, err = fmt.Fprintf(conn, "REPLICAOF %s\r\n", words)
	w.must(err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	w.must(err)
	if !strings.HasPrefix(line, "+OK") {
		w.Fatalf("Redis answers %q to REPLICAOF %s", line, words)
	}
}

// cacheIs says what is wrong with the cluster of the pair when both are well and one is the primary.
func cacheIs(primary, replica string) func(httpd.ClusterDetail) error {
	return func(c httpd.ClusterDetail) error {
		if c.Health != fsm.HealthHealthy || len(c.Nodes) != 2 || len(c.Versions) != 1 || len(c.Shards) != 1 {
			return fmt.Errorf("health %s %v, %d nodes, versions %v, %d shards", c.Health, c.Reasons, len(c.Nodes), c.Versions, len(c.Shards))
		}
		if s := c.Shards[0]; s.Primary != primary || s.State != "" || len(s.Nodes) != 2 {
			return fmt.Errorf("shard %s has the primary %q (%s) and %d nodes", s.ID, s.Primary, s.State, len(s.Nodes))
		}
		for id, role := range map[string]string{primary: fsm.RolePrimary, replica: fsm.RoleReplica} {
			n := nodeOf(c, id)
			if n.Kind != "redis" || n.Version == "" || n.Version != c.Versions[0] {
				return fmt.Errorf("%s is %s %s", id, n.Kind, n.Version)
			}
			if n.Reach.Value != fsm.Reachable || n.State.Value != fsm.StateUp || len(n.Shards) != 1 || n.Shards[0].Role != role {
				return fmt.Errorf("%s is %s and %s, its shards are %v, want %s", id, n.Reach.Value, n.State.Value, n.Shards, role)
			}
		}
		return nil
	}
}

// TestRedisFromConsul follows a real Redis pair through what happens to such pairs.
func TestRedisFromConsul(t *testing.T) {
	w := newWorld(t)
	_, consul, err := w.rig.Consul(w.soon())
	w.must(err)
	redis := w.redisPair(consul)
	g := w.group()
	peer := w.follower(g)
	events := w.follow(peer)
	w.apply(peer, "consul", redisDiscovery(consul, "2s"))
	w.onAllPeers(g, "cache", cacheIs("cache-1", "cache-2"))

	t.Run("failover", func(t *testing.T) {
		w := w.inside(t)
		mark := events.mark()
		w.betweenPolls(peer, "cache", redisInterval)
		at := time.Now()
		w.replicaOf(redis.addr["cache-2"], "")
		w.replicaOf(redis.addr["cache-1"], redis.addr["cache-2"])
		changed := w.await(events, mark, want{fsm.ShardPrimaryChanged, "cache", ""})
		t.Logf("primary changed %s after the fact", changed.Time.Std().Sub(at))
		w.onAllPeers(g, "cache", cacheIs("cache-2", "cache-1"))
		w.laterRefresh(peer, "cache", 2)
		w.exactly(1, events, mark, want{kind: fsm.ShardPrimaryChanged})
		for _, k := range []fsm.EventType{fsm.ShardPrimaryDuplicate, fsm.ShardPrimaryLost, fsm.NodeUnreachable} {
			w.exactly(0, events, mark, want{kind: k})
		}
	})

	t.Run("stopped", func(t *testing.T) {
		w := w.inside(t)
		mark := events.mark()
		w.betweenPolls(peer, "cache", redisInterval)
		w.must(redis.process["cache-1"].Stop())
		at := time.Now()
		down := w.await(events, mark, want{fsm.NodeUnreachable, "cache", "cache-1"})
		w.within(refusedWithin, at, down.Event)
		w.reason(g, "cache", "cache-1", fsm.ReasonRefused)

		redis.process["cache-1"], err = redis.process["cache-1"].Again()
		w.must(err)
		w.must(rig.Listens(w.soon(), redis.addr["cache-1"]))
		w.replicaOf(redis.addr["cache-1"], redis.addr["cache-2"])
		w.await(events, mark, want{fsm.NodeReachable, "cache", "cache-1"})
		w.onAllPeers(g, "cache", cacheIs("cache-2", "cache-1"))
		w.exactly(1, events, mark, want{fsm.NodeUnreachable, "cache", "cache-1"})
		w.exactly(1, events, mark, want{fsm.NodeReachable, "cache", "cache-1"})
		w.exactly(0, events, mark, want{fsm.NodeUnreachable, "cache", "cache-2"})
	})

	t.Run("silent", func(t *testing.T) {
		w := w.inside(t)
		mark := events.mark()
		w.betweenPolls(peer, "cache", redisInterval)
		w.must(redis.process["cache-1"].Signal(syscall.SIGSTOP))
		defer func() { w.must(redis.process["cache-1"].Signal(syscall.SIGCONT)) }()
		at := time.Now()
		down := w.await(events, mark, want{fsm.NodeUnreachable, "cache", "cache-1"})
		w.within(silentWithin, at, down.Event)
		w.reason(g, "cache", "cache-1", fsm.ReasonTimeout)
		w.must(redis.process["cache-1"].Signal(syscall.SIGCONT))
		w.await(events, mark, want{fsm.NodeReachable, "cache", "cache-1"})
		w.onAllPeers(g, "cache", cacheIs("cache-2", "cache-1"))
		w.exactly(0, events, mark, want{fsm.NodeUnreachable, "cache", "cache-2"})
	})

	t.Run("deregistered", func(t *testing.T) {
		w := w.inside(t)
		mark := events.mark()
		w.deregister(consul, "cache-1")
		missing := w.await(events, mark, want{fsm.NodeMissing, "cache", "cache-1"})
		removed := w.await(events, mark, want{fsm.NodeRemoved, "cache", "cache-1"})
		if missing.Seq > removed.Seq {
			t.Errorf("the node was removed before it was missing")
		}
		w.onAllPeers(g, "cache", func(c httpd.ClusterDetail) error {
			if len(c.Nodes) != 1 || c.Nodes[0].ID != "cache-2" || c.Health != fsm.HealthHealthy {
				return fmt.Errorf("%d nodes, health %s %v", len(c.Nodes), c.Health, c.Reasons)
			}
			return nil
		})
		w.exactly(1, events, mark, want{kind: fsm.NodeMissing})
		w.exactly(1, events, mark, want{kind: fsm.NodeRemoved})
	})

	t.Run("registered", func(t *testing.T) {
		w := w.inside(t)
		// At this interval only a nudge can be so fast.
		w.apply(peer, "consul", redisDiscovery(consul, "60s"))
		w.laterRuns(peer, "consul", 1, "")
		for i := range 5 {
			mark, id := events.mark(), fmt.Sprintf("cache-%d", i+10)
			at := time.Now()
			w.register(consul, "cache", id, redis.addr["cache-1"])
			found := w.await(events, mark, want{fsm.NodeDiscovered, "cache", id})
			t.Logf("a registration in Consul was an event on a follower after %s", found.came.Sub(at).Round(time.Millisecond))
			if took := found.came.Sub(at); took > 5*time.Second {
				t.Errorf("it took %s, so nothing nudged; the goal is 250ms", took)
			}
		}
	})
	gapFree(t, events)
}

func redisDiscovery(consul, interval string) object {
	return object{
		"backend": "consul", "config": object{"address": consul, "tags": []string{"muster"}},
		"interval": interval, "missing_after": "1s", "remove_after": "3s",
		"refresh": object{"prober": "redis", "interval": redisInterval.String(), "timeout": redisTimeout.String()},
	}
}

// reason waits until every peer says of a node that it is unreachable for a reason.
func (w *world) reason(g *rig.Group, cluster, id, code string) {
	w.Helper()
	w.onAllPeers(g, cluster, func(c httpd.ClusterDetail) error {
		if n := nodeOf(c, id); n.Reach.Value != fsm.NotReachable || n.Reach.Reason != code {
			return fmt.Errorf("%s is %s because of %s (%s)", id, n.Reach.Value, n.Reach.Reason, n.Reach.Detail)
		}
		return nil
	})
}

// laterRefresh waits until a cluster has been refreshed n more times.
func (w *world) laterRefresh(p *rig.Peer, cluster string, n int) {
	w.Helper()
	var last fsm.Time
	n++ // the one that was there
	w.until("refreshes of "+cluster, func(ctx context.Context) error {
		c, _, err := p.API.Cluster(ctx, cluster, httpd.Read{})
		if err != nil {
			return err
		}
		if c.RefreshedAt > last {
			last = c.RefreshedAt
			n--
		}
		if n > 0 {
			return fmt.Errorf("%d are still to come", n)
		}
		return nil
	})
}
