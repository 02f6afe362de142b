package world

import (
	"slices"
	"time"

	"github.com/musterhq/muster/fsm"
)

// fleetActs are what happens to nodes.
var fleetActs = []act{
	{"node refuses", func(a *adversary) bool {
		n := pick(a.w, a.w.fleet.nodes)
		n.refused = true
		a.w.after(a.w.between(100*time.Millisecond, 20*time.Second), func() { n.refused = false })
		return true
	}},
	{"node silent", func(a *adversary) bool {
		n := pick(a.w, a.w.fleet.nodes)
		n.silent = true
		a.w.after(a.w.between(100*time.Millisecond, 20*time.Second), func() { n.silent = false })
		return true
	}},
	{"node slow", func(a *adversary) bool {
		n := pick(a.w, a.w.fleet.nodes)
		n.slow = a.w.between(300*time.Millisecond, 2*time.Second)
		a.w.after(a.w.between(time.Second, 30*time.Second), func() { n.slow = 0 })
		return true
	}},
	{"node changes state", func(a *adversary) bool {
		n := pick(a.w, a.w.fleet.nodes)
		n.change(func() {
			n.state = pick(a.w, []string{fsm.StateUp, fsm.StateUp, fsm.StateDown, fsm.StateJoining, fsm.StateLeaving})
		})
		return true
	}},
	{"failover", func(a *adversary) bool {
		n := pick(a.w, a.w.fleet.nodes)
		for _, o := range a.w.fleet.of(n) {
			if o.role == fsm.RolePrimary {
				o.change(func() { o.role = fsm.RoleReplica })
			}
		}
		a.w.after(a.w.between(0, 5*time.Second), func() { n.change(func() { n.role = fsm.RolePrimary }) })
		return true
	}},
	{"two primaries", func(a *adversary) bool {
		n := pick(a.w, a.w.fleet.nodes)
		n.change(func() { n.role = fsm.RolePrimary })
		a.w.after(a.w.between(0, 20*time.Second), func() { n.change(func() { n.role = fsm.RoleReplica }) })
		return true
	}},
	{"node lags", func(a *adversary) bool {
		n := pick(a.w, a.w.fleet.nodes)
		n.lag = int64(a.w.rng.IntN(60_000)) // no change of its tag: a tag does not cover lag
		return true
	}},
	{"version changes", func(a *adversary) bool {
		n := pick(a.w, a.w.fleet.nodes)
		n.change(func() { n.version = pick(a.w, []string{"7.0", "7.1"}) })
		return true
	}},
	{"attribute flaps", func(a *adversary) bool {
		n := pick(a.w, a.w.fleet.nodes)
		n.change(func() { n.flips = 1 })
		a.w.after(a.w.between(0, 60*time.Second), func() { n.change(func() { n.flips = 0 }) })
		return true
	}},
	{"identity swapped", func(a *adversary) bool {
		n := pick(a.w, a.w.fleet.nodes)
		n.change(func() { n.says = "somebody-else" })
		a.w.after(a.w.between(0, 20*time.Second), func() { n.change(func() { n.says = n.ref.Node }) })
		return true
	}},
	{"shards move", func(a *adversary) bool {
		n := pick(a.w, a.w.fleet.nodes)
		n.change(func() { n.shards = a.w.rng.IntN(4) })
		return true
	}},
	{"third party fails", func(a *adversary) bool {
		a.third = true
		a.w.after(a.w.between(time.Second, 20*time.Second), func() { a.third = false })
		return true
	}},
}

// sourceActs are what happens to what is listed.
var sourceActs = []act{
	{"source breaks", func(a *adversary) bool {
		s := pick(a.w, a.w.sources)
		s.fault = pick(a.w, sourceFaults)
		a.w.after(a.w.between(time.Second, 40*time.Second), func() { s.fault = "" })
		return true
	}},
	{"node listed", func(a *adversary) bool {
		s, n := pick(a.w, a.w.sources), pick(a.w, a.w.fleet.nodes)
		if slices.Contains(s.lists, n.ref) {
			return false
		}
		s.move(append(slices.Clone(s.lists), n.ref))
		a.w.nudge(s, n.ref.Cluster)
		return true
	}},
	{"node unlisted", func(a *adversary) bool {
		s := pick(a.w, a.w.sources)
		if len(s.lists) == 0 {
			return false
		}
		n := pick(a.w, s.lists)
		s.move(slices.DeleteFunc(slices.Clone(s.lists), func(r fsm.NodeRef) bool { return r == n }))
		a.w.nudge(s, n.Cluster)
		return true
	}},
	{"node moves", func(a *adversary) bool {
		n := pick(a.w, a.w.fleet.nodes)
		n.change(func() { n.port = 1000 + (n.port-1000+500)%1000 })
		for _, s := range a.w.sources {
			if slices.Contains(s.lists, n.ref) {
				a.w.nudge(s, n.ref.Cluster)
			}
		}
		return true
	}},
	{"nudge about nothing", func(a *adversary) bool {
		a.w.nudge(pick(a.w, a.w.sources), pick(a.w, a.w.fleet.nodes).ref.Cluster)
		return true
	}},
}
