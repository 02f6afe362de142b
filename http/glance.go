package httpd

import (
	"slices"

	"github.com/musterhq/muster/fsm"
)

// glance is one look at the state: a reader, and the logical time to which schedules are read.
type glance struct {
	*fsm.Reader
	now fsm.Time
}

// times is when a subject was last done with, when it is next wanted, and for how long it has been.
type times struct {
	next    fsm.Time
	overdue fsm.Duration
}

// due lays a subject's schedule over an answer. Work that is under way is next wanted at the slot after now.
func (g glance) due(s *fsm.Schedule, interval fsm.Duration) times {
	if g.Claim(s.Subject) != nil {
		return times{next: fsm.NextSlot(s.Subject, interval, g.now)}
	}
	at, _ := s.Due(interval)
	switch {
	case at == 0:
		return times{next: g.now}
	case at < g.now:
		return times{next: at, overdue: g.now.Sub(at)}
	}
	return times{next: at}
}

// work is how the last run or refresh went, with its peer by name.
func (g glance) work(s *fsm.Schedule) fsm.Work {
	last := s.Last
	last.Peer = g.peerName(last.Peer)
	return last
}

// peerName is a peer's name, or its id when it is gone.
func (g glance) peerName(id string) string {
	if p := g.Peer(id); p != nil {
		return p.Name
	}
	return id
}

// clusterSchedule is a cluster's schedule; one that is not there reads as nothing done yet.
func (g glance) clusterSchedule(c *fsm.Cluster) *fsm.Schedule {
	subject := fsm.Subject{Kind: fsm.KindRefresh, ID: c.ID}
	if s := g.Schedule(subject); s != nil {
		return s
	}
	return &fsm.Schedule{Subject: subject}
}

// discoveryRow makes a discovery's row; nodes of a held set are left out unless they are asked for.
func (g glance) discoveryRow(d *fsm.Discovery, nodes bool) DiscoveryRow {
	s := d.Spec
	row := DiscoveryRow{
		Name: d.Name, Backend: s.Backend, Config: s.Config, Interval: s.Interval, Enabled: s.Enabled, On: s.On,
		Cluster: s.Cluster, Filter: s.Filter, Admission: s.Admission, MissingAfter: s.MissingAfter,
		RemoveAfter: s.RemoveAfter, MaxShrink: s.MaxShrink, OnDelete: s.OnDelete, Refresh: s.Refresh, Settable: s.Settable,
		Failing: d.Failing, Deleting: d.Deleting, Index: d.Index,
	}
	if schedule := g.Schedule(fsm.Subject{Kind: fsm.KindRun, ID: d.ID}); schedule != nil {
		row.LastRun = g.work(schedule)
		if s.Enabled && !d.Deleting {
			row.NextRun = g.due(schedule, s.Interval).next
		}
	}
	if h := d.Held; h != nil {
		row.Held = Held{Hash: h.Hash, Count: h.Count, Owned: h.Owned, Since: h.Since, Released: h.Released}
		if nodes {
			row.Held.Nodes = h.Nodes
		}
	}
	return row
}

// claimRow makes a claim's row.
func (g glance) claimRow(c *fsm.Claim) ClaimRow {
	row := ClaimRow{
		Subject: ClaimSubject{Kind: c.Subject.Kind.String()}, Token: c.Token, Peer: g.peerName(c.Peer),
		Granted: c.Granted, TTL: c.TTL, Reason: c.Reason, Parts: c.Parts, Names: c.Names,
	}
	if c.Subject.Kind == fsm.KindRefresh {
		if cluster := g.ClusterByID(c.Subject.ID); cluster != nil {
			row.Subject.Name = cluster.Name
		}
	} else if d := g.DiscoveryByID(c.Subject.ID); d != nil {
		row.Subject.Name = d.Name
	}
	return row
}

// told is a list as JSON tells it: never null.
func told[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func toldMap[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// sortedSet puts a word into a sorted set.
func sortedSet(set []string, word string) []string {
	i, found := slices.BinarySearch(set, word)
	if word == "" || found {
		return set
	}
	return slices.Insert(set, i, word)
}
