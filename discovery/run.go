package discovery

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"

	"github.com/musterhq/muster/fsm"
)

// run is one claim's work: what was read, and the clusters that are still to be reported.
type run struct {
	claim     *fsm.Claim
	discovery *fsm.Discovery
	byCluster map[string][]fsm.Record
	hold      bool
	pending   []string // clusters to report: those read first, then those that only had been
	outcome   *fsm.RunOutcome
}

// take parts records, which are sorted, by cluster and lets the guard judge a full read.
func (u *run) take(r *fsm.Reader, records []fsm.Record) {
	u.byCluster = map[string][]fsm.Record{}
	for first := 0; first < len(records); {
		name, next := records[first].Cluster, first+1
		for next < len(records) && records[next].Cluster == name {
			next++
		}
		u.pending = append(u.pending, name)
		u.byCluster[name] = records[first:next]
		first = next
	}
	u.outcome.Records, u.outcome.Hash = len(records), hashRecords(records)
	if !u.claim.Full() {
		return
	}
	own := owned(r, u.discovery.ID)
	verdict := fsm.Judge(own, records, u.discovery, u.claim.Granted)
	u.hold, u.outcome.Held = verdict.Hold, verdict.Held
	u.pending = append(u.pending, vanished(own, u.byCluster)...)
}

// word is how the run went, for metrics.
func (u *run) word() string {
	switch {
	case u.outcome.Error != "":
		return fsm.OutcomeFailed
	case u.hold:
		return fsm.OutcomeHeld
	case u.outcome.Changed:
		return fsm.OutcomeChanged
	}
	return fsm.OutcomeUnchanged
}

// owned is every node the discovery has a listing of.
func owned(r *fsm.Reader, discovery uint64) []fsm.Owned {
	var out []fsm.Owned
	var cluster *fsm.Cluster
	var kept []string // nodes of the cluster with an operator's word, sorted
	for l := range r.Listed(discovery) {
		if cluster == nil || cluster.ID != l.Cluster {
			cluster, kept = r.ClusterByID(l.Cluster), kept[:0]
			for n := range r.Nodes(l.Cluster) {
				if n.Word() {
					kept = append(kept, n.ID)
				}
			}
		}
		_, word := slices.BinarySearch(kept, l.Node)
		out = append(out, fsm.Owned{NodeRef: fsm.NodeRef{Cluster: cluster.Name, Node: l.Node}, Kept: word})
	}
	return out
}

// vanished are the clusters of what is owned, but for those read, by name.
func vanished(owned []fsm.Owned, read map[string][]fsm.Record) []string {
	var out []string
	for i, o := range owned {
		if i > 0 && o.Cluster == owned[i-1].Cluster {
			continue
		}
		if _, ok := read[o.Cluster]; !ok {
			out = append(out, o.Cluster)
		}
	}
	slices.Sort(out)
	return out
}

// hashRecords names what was read in 16 hex digits. Each text is led by its length, so no two reads are written alike.
func hashRecords(records []fsm.Record) string {
	h := sha256.New()
	var buf []byte
	text := func(s string) { buf = append(binary.AppendUvarint(buf, uint64(len(s))), s...) }
	table := func(m map[string]string) {
		buf = binary.AppendUvarint(buf, uint64(len(m)))
		for _, k := range slices.Sorted(maps.Keys(m)) {
			text(k)
			text(m[k])
		}
	}
	for i := range records {
		r := &records[i]
		buf = binary.AppendVarint(buf[:0], int64(r.Port))
		for _, s := range []string{r.Cluster, r.Node, r.Address, r.Service, r.Datacenter, r.Source, r.Probe} {
			text(s)
		}
		buf = binary.AppendUvarint(buf, uint64(len(r.Tags)))
		for _, tag := range r.Tags {
			text(tag)
		}
		table(r.Meta)
		table(r.Labels)
		h.Write(buf)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// report sends the run in parts of at most maxPart. A cluster that had moved, or whose enrolment was too large for one part,
// is compared again with the replica once that holds what was accepted, and sent in a later part. Clusters do not depend on
// each other, so for the rest nothing is waited for: a follower learns of a commit up to 100 ms after the leader's answer.
func (r *Runner) report(ctx context.Context, u *run) (err error) {
	ctx, step := r.step(ctx, "complete")
	defer func() { step.End(err) }()
	for part := uint32(0); ; part++ {
		c, rest := u.part(r.cfg.Replica.Read())
		c.Part = part
		if len(c.Enrolments) > 0 {
			u.outcome.Changed = true
		}
		if len(rest) == 0 {
			c.Outcome = u.outcome
		}
		res, err := r.cfg.Log.Propose(ctx, c)
		if err == nil {
			err = res.Err()
		}
		if err != nil || res.Closed {
			return err
		}
		u.pending = again(c, res, rest)
		if name := refused(c, res); name != "" {
			u.outcome.Error = "what was computed for cluster " + name + " is refused, though it has not moved"
			u.pending = nil
		}
		if !returns(c, res, rest) {
			continue
		}
		if err := r.cfg.Replica.WaitIndex(ctx, res.Index); err != nil {
			return err
		}
	}
}

// returns says whether a later part is about a cluster of this one: because it had moved, had more than fitted, or because
// the answer was lost.
func returns(part *fsm.RunComplete, res fsm.Result, rest []string) bool {
	if res.Already || len(res.Moved) > 0 {
		return true
	}
	n := len(part.Enrolments)
	return n > 0 && len(rest) > 0 && part.Enrolments[n-1].Cluster == rest[0]
}

// refused is a cluster whose enrolment was not accepted at the very version it was computed from; empty when there is none.
func refused(part *fsm.RunComplete, res fsm.Result) string {
	for _, m := range res.Moved {
		for _, e := range part.Enrolments {
			if e.Cluster == m.Cluster && e.Base == m.Index {
				return m.Cluster
			}
		}
	}
	return ""
}

// again is what is left after a part: what did not fit, what had moved, and, when the answer to the part was lost, all of
// it, since enlisting what is enlisted already gives nothing.
func again(part *fsm.RunComplete, res fsm.Result, rest []string) []string {
	add := func(name string) {
		if !slices.Contains(rest, name) {
			rest = append(rest, name)
		}
	}
	for _, m := range res.Moved {
		add(m.Cluster)
	}
	if res.Already {
		for _, e := range part.Enrolments {
			add(e.Cluster)
		}
	}
	return rest
}

// part makes the next part from what is pending, and says what is left after it.
func (u *run) part(r *fsm.Reader) (part *fsm.RunComplete, rest []string) {
	part = &fsm.RunComplete{Discovery: u.discovery.ID, Settings: u.discovery.Settings, Token: u.claim.Token}
	if u.outcome.Error != "" {
		return part, nil
	}
	left := maxPart
	for i, name := range u.pending {
		e := u.enlist(r, name)
		if e.IsZero() {
			continue
		}
		if size := e.Size(); size <= left {
			part.Enrolments = append(part.Enrolments, e)
			left -= size
			continue
		}
		if len(part.Enrolments) > 0 {
			return part, u.pending[i:]
		}
		cut, whole := e.Within(left)
		part.Enrolments = append(part.Enrolments, cut)
		if !whole {
			return part, u.pending[i:]
		}
		left = 0
	}
	return part, nil
}

// enlist compares what was read of one cluster with the replica.
func (u *run) enlist(r *fsm.Reader, name string) fsm.Enrolment {
	roll := rollOf(r, name, u.discovery)
	if u.discovery.Deleting {
		return fsm.Unlist(roll, u.discovery.ID, u.claim.Granted)
	}
	return fsm.Enlist(roll, fsm.Reading{
		Discovery: u.discovery.ID, Cluster: name, Now: u.claim.Granted,
		Full: u.claim.Full(), Hold: u.hold, Records: u.byCluster[name],
	})
}

// rollOf is what the replica holds about one cluster.
func rollOf(r *fsm.Reader, name string, d *fsm.Discovery) *fsm.Roll {
	roll := &fsm.Roll{
		View:        &fsm.View{Nodes: map[string]*fsm.Node{}},
		Discoveries: map[uint64]*fsm.Discovery{d.ID: d},
	}
	c := r.Cluster(name)
	if c == nil {
		return roll
	}
	roll.View = r.View(c.ID)
	for l := range r.Listings(c.ID) {
		roll.Listings = append(roll.Listings, *l)
		if roll.Discoveries[l.Discovery] == nil {
			roll.Discoveries[l.Discovery] = r.DiscoveryByID(l.Discovery)
		}
	}
	return roll
}
