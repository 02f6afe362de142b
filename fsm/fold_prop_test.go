package fsm_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/fsm"
)

// life is a cluster that random rounds and random membership drive through its states.
type life struct {
	view  *fsm.View
	notes *fsm.Notes
	now   fsm.Time
}

func (l *life) fold(t *rapid.T, facts ...fsm.Fact) {
	if err := fsm.FoldAll(l.view, facts); err != nil {
		t.Fatal(err)
	}
}

var (
	nodeIDs  = []string{"a", "b", "c", "d"}
	peerIDs  = []string{"p", "q", "r"}
	lives    = []fsm.Lifecycle{fsm.Commissioned, fsm.Commissioned, fsm.Commissioned, fsm.Maintenance, fsm.Decommissioned}
	states   = []string{"up", "up", "up", "down", "joining", "leaving", "unknown"}
	roles    = []string{"primary", "primary", "replica", "replica", "recovering"}
	modes    = []string{"pinned", "strict", "off"}
	versions = []string{"", "7", "8"}
)

// enlist adds, removes or moves a node, as discovery and operators do.
func (l *life) enlist(t *rapid.T) {
	id := rapid.SampledFrom(nodeIDs).Draw(t, "node")
	n := l.view.Nodes[id]
	to := &fsm.NodePart{
		Sources: []string{"s"}, Presence: rapid.SampledFrom([]fsm.Presence{fsm.Present, fsm.Present, fsm.Missing}).Draw(t, "presence"),
		Lifecycle: rapid.SampledFrom(lives).Draw(t, "lifecycle"),
	}
	switch {
	case n == nil:
		l.fold(t, fsm.Fact{Type: fsm.NodeDiscovered, Node: id, After: to})
	case rapid.IntRange(0, 3).Draw(t, "remove") == 0:
		delete(l.view.Nodes, id)
	case n.Lifecycle == to.Lifecycle:
	default:
		l.fold(t, fsm.Fact{
			Type: fsm.NodeCommissioned, Node: id,
			Before: &fsm.LifecyclePart{Lifecycle: n.Lifecycle}, After: &fsm.LifecyclePart{Lifecycle: to.Lifecycle},
		})
	}
	l.fold(t, fsm.Derive(l.view, l.now)...)
}

func drawReport(t *rapid.T, id string) fsm.Report {
	if rapid.IntRange(0, 3).Draw(t, "fails") == 0 {
		return fsm.Unreachable(id, rapid.SampledFrom([]string{fsm.ReasonRefused, fsm.ReasonTimeout}).Draw(t, "reason"), "")
	}
	r := fsm.Report{
		Node: id, Reachable: true, State: rapid.SampledFrom(states).Draw(t, "state"),
		StateReason: rapid.SampledFrom([]string{"", "", "loading"}).Draw(t, "state reason"),
		NodeID:      rapid.SampledFrom([]string{id, id, id, "", "x"}).Draw(t, "says"),
		ClusterID:   rapid.SampledFrom([]string{"", "c", "c", "e"}).Draw(t, "says cluster"),
		Version:     rapid.SampledFrom(versions).Draw(t, "version"),
	}
	for _, shard := range []string{"0", "1", "2"} {
		if rapid.IntRange(0, 3).Draw(t, "holds") > 0 {
			s := fsm.Shard{ID: shard, Role: rapid.SampledFrom(roles).Draw(t, "role")}
			if lag := rapid.Int64Range(-1, 12).Draw(t, "lag"); lag >= 0 {
				s.LagMS, s.Offset = &lag, &fsm.Offset{Value: lag}
			}
			r.Shards = append(r.Shards, s)
		}
	}
	for _, k := range []string{"x", "y"} {
		if v := rapid.IntRange(0, 3).Draw(t, k); v > 0 {
			if r.Attributes == nil {
				r.Attributes = map[string]string{}
			}
			r.Attributes[k] = fmt.Sprint(v)
		}
	}
	return r
}

func (l *life) drawRound(t *rapid.T) fsm.Round {
	spec := fsm.DefaultRefresh()
	spec.DownAfter = rapid.IntRange(1, 3).Draw(t, "down after")
	spec.LagLimit = fsm.Duration(rapid.SampledFrom([]int64{0, 10, 10, 10}).Draw(t, "lag limit"))
	spec.Identity = rapid.SampledFrom(modes).Draw(t, "identity")
	r := fsm.Round{
		Observed: l.now, Peer: rapid.SampledFrom(peerIDs).Draw(t, "peer"), Spec: spec,
		Full: rapid.IntRange(0, 3).Draw(t, "full") > 0, Alone: rapid.Bool().Draw(t, "alone"),
	}
	l.now += 1000
	r.Now = l.now
	for _, id := range append(l.view.NodeIDs(), "ghost") {
		if n := l.view.Nodes[id]; r.Full && n != nil && n.Polled() || rapid.Bool().Draw(t, "asked") {
			r.Reports = append(r.Reports, drawReport(t, id))
		}
	}
	return r
}

// live drives a random life and hands each round to check before it is folded.
func live(t *rapid.T, check func(*life, fsm.Round, []fsm.Fact, *fsm.Notes)) {
	l := &life{view: &fsm.View{Nodes: map[string]*fsm.Node{}}, now: 1000}
	l.fold(t, fsm.Fact{Type: fsm.ClusterDiscovered, After: &fsm.ClusterPart{}})
	for range 3 {
		l.enlist(t)
	}
	for range rapid.IntRange(1, 12).Draw(t, "rounds") {
		if rapid.IntRange(0, 4).Draw(t, "enlist") == 0 {
			l.enlist(t)
		}
		r := l.drawRound(t)
		facts, notes := diffed(t, l.view, l.notes, r)
		check(l, r, facts, notes)
		l.fold(t, facts...)
		l.notes = notes
	}
}

// TestRoundsFold checks that the facts of any round fold and unfold exactly, that each tells something of its own, and
// that a confirming round says nothing of primaries.
func TestRoundsFold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		live(t, func(l *life, r fsm.Round, facts []fsm.Fact, notes *fsm.Notes) {
			told := map[string]fsm.EventType{}
			for _, f := range facts {
				for _, owned := range owns(f) {
					if by, twice := told[owned]; twice {
						t.Fatalf("%s told by %s and %s", owned, by, f.Type)
					}
					told[owned] = f.Type
				}
				if !r.Full && f.Node == "" && f.Shard != "" {
					t.Fatalf("a confirming round told %s", f.Type)
				}
			}
			if !r.Full && !cmp.Equal(oddOf(l.notes), oddOf(notes)) {
				t.Fatal("a confirming round noted a shard")
			}
		})
	})
}

func oddOf(n *fsm.Notes) []fsm.Odd {
	if n == nil {
		return nil
	}
	return n.Odd
}

// owns names the parts of the view that a fact changes, each as few words as can collide.
func owns(f fsm.Fact) []string {
	on := func(part string) string { return part + " of " + f.Node + "/" + f.Shard }
	p := f.After
	if p == nil {
		p = f.Before
	}
	switch p := p.(type) {
	case *fsm.StatePart:
		if p.Said == nil {
			return []string{on("state")}
		}
		all := []string{on("state"), on("software")}
		if before, _ := f.Before.(*fsm.StatePart); before.Said.Identity != p.Said.Identity {
			all = append(all, on("*fsm.IdentityPart"))
		}
		for _, s := range p.Said.Shards {
			all = append(all, "*fsm.ShardPart of "+f.Node+"/"+s.ID)
		}
		return all
	case *fsm.SoftwarePart:
		return []string{on("software")}
	}
	return []string{on(fmt.Sprintf("%T", p))}
}

// TestRoundsSettle checks minimality (I9): a round applied to what it left tells only what must be counted, and soon
// nothing at all.
func TestRoundsSettle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		live(t, func(l *life, r fsm.Round, facts []fsm.Fact, notes *fsm.Notes) {
			v := l.view.Clone()
			for again := range 6 {
				if err := fsm.FoldAll(v, facts); err != nil {
					t.Fatal(err)
				}
				last := notes
				if facts, notes = diffed(t, v, notes, r); again < 4 { // 3 to unreachable, then 2 odd rounds
					for _, f := range facts {
						switch f.Type {
						case fsm.NodeUnreachable, fsm.ShardPrimaryLost, fsm.ShardPrimaryDuplicate, fsm.ClusterHealthChanged:
						case fsm.ShardPrimaryChanged: // of a double the unreachable one drops out
						case fsm.ShardPrimaryRestored:
						default:
							t.Fatalf("applied again, the round tells %s %s %s", f.Type, f.Node, f.Shard)
						}
					}
					continue
				}
				if len(facts) > 0 || !fsm.SameNotes(last, notes) {
					t.Fatalf("the round does not settle: %+v, notes %+v, then %+v", facts, last, notes)
				}
			}
		})
	})
}

// TestRoundsAreDetermined checks that neither the order of answers nor that of maps matters.
func TestRoundsAreDetermined(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		live(t, func(l *life, r fsm.Round, facts []fsm.Fact, notes *fsm.Notes) {
			rng := rand.New(rand.NewPCG(seed, 1))
			twin := &fsm.View{Cluster: l.view.Cluster, Nodes: map[string]*fsm.Node{}}
			ids := l.view.NodeIDs()
			rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
			for _, id := range ids {
				twin.Nodes[id] = l.view.Nodes[id]
			}
			r.Reports = slices.Clone(r.Reports)
			for i := range r.Reports {
				rep := &r.Reports[i]
				rep.Shards = slices.Clone(rep.Shards)
				rng.Shuffle(len(rep.Shards), func(i, j int) { rep.Shards[i], rep.Shards[j] = rep.Shards[j], rep.Shards[i] })
			}
			rng.Shuffle(len(r.Reports), func(i, j int) { r.Reports[i], r.Reports[j] = r.Reports[j], r.Reports[i] })
			sameFacts, sameNotes := diffed(t, twin, l.notes, r)
			if diff := cmp.Diff(facts, sameFacts); diff != "" {
				t.Fatalf("the twin tells (-first +twin):\n%s", diff)
			}
			if diff := cmp.Diff(notes, sameNotes); diff != "" {
				t.Fatalf("the twin notes (-first +twin):\n%s", diff)
			}
		})
	})
}

// TestFailedPollsChangeNoPrimary checks (I25b) that in a settled cluster polls that fail, and nothing else, never change
// who leads, and that one peer's failures reach nobody's verdict while another could ask.
func TestFailedPollsChangeNoPrimary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		live(t, func(l *life, r fsm.Round, _ []fsm.Fact, _ *fsm.Notes) {
			r.Full, r.Alone, r.Spec.DownAfter = true, false, 2
			for i := range r.Reports {
				if !r.Reports[i].Reachable {
					r.Reports[i] = up(r.Reports[i].Node)
				}
			}
			v, notes := l.view.Clone(), l.notes
			for range 4 {
				facts, after := diffed(t, v, notes, r)
				if err := fsm.FoldAll(v, facts); err != nil {
					t.Fatal(err)
				}
				notes = after
			}
			for i := range r.Reports {
				if rapid.Bool().Draw(t, "fails") {
					r.Reports[i] = refused(r.Reports[i].Node)
				}
			}
			for range 3 {
				facts, after := diffed(t, v, notes, r)
				if len(facts) > 0 {
					t.Fatalf("failed polls told %+v", facts)
				}
				notes = after
			}
		})
	})
}
