package fsm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// story tells one cluster's life round by round. Each round is checked to fold over the view and to unfold out of it.
type story struct {
	t     *testing.T
	view  *fsm.View
	notes *fsm.Notes
	spec  fsm.RefreshSpec
	now   fsm.Time
	alone bool
	facts []fsm.Fact // of the last round
}

// begin is a cluster of commissioned nodes that were never asked.
func begin(t *testing.T, nodes ...string) *story {
	t.Helper()
	s := &story{t: t, view: &fsm.View{Nodes: map[string]*fsm.Node{}}, spec: fsm.DefaultRefresh(), now: 1_000_000}
	s.fold(fsm.Fact{Type: fsm.ClusterDiscovered, After: &fsm.ClusterPart{}})
	for _, id := range nodes {
		s.fold(fsm.Fact{Type: fsm.NodeDiscovered, Node: id, After: &fsm.NodePart{
			Endpoint: fsm.Endpoint{Address: "127.0.0.1", Port: 1}, Sources: []string{"s"},
			Presence: fsm.Present, Lifecycle: fsm.Commissioned,
		}})
	}
	s.fold(fsm.Derive(s.view, s.now)...)
	return s
}

func (s *story) fold(facts ...fsm.Fact) {
	s.t.Helper()
	if err := fsm.FoldAll(s.view, facts); err != nil {
		s.t.Fatal(err)
	}
}

// full is a full round of peer p.
func (s *story) full(reports ...fsm.Report) *story { s.t.Helper(); return s.round("p", true, reports) }

// confirm is a confirming round of a peer.
func (s *story) confirm(peer string, reports ...fsm.Report) *story {
	s.t.Helper()
	return s.round(peer, false, reports)
}

func (s *story) round(peer string, full bool, reports []fsm.Report) *story {
	s.t.Helper()
	observed := s.now
	s.now += 1000
	s.facts, s.notes = diffed(s.t, s.view, s.notes, fsm.Round{
		Now: s.now, Observed: observed, Peer: peer, Full: full, Alone: s.alone, Spec: s.spec, Reports: reports,
	})
	s.fold(s.facts...)
	return s
}

// diffed is Diff, with what must hold for every round checked.
func diffed(t interface {
	Helper()
	Fatalf(string, ...any)
}, v *fsm.View, notes *fsm.Notes, r fsm.Round,
) ([]fsm.Fact, *fsm.Notes) {
	t.Helper()
	kept := v.Clone()
	facts, after := fsm.Diff(v, notes, r)
	if diff := cmp.Diff(kept, v); diff != "" {
		t.Fatalf("Diff changed its view (-before +after):\n%s", diff)
	}
	folded := v.Clone()
	for _, f := range facts {
		if cmp.Equal(f.Before, f.After) {
			t.Fatalf("%s %s %s tells nothing", f.Type, f.Node, f.Shard)
		}
		if err := fsm.Fold(folded, f); err != nil {
			t.Fatalf("fold: %v", err)
		}
	}
	for _, f := range slices.Backward(facts) {
		if err := fsm.Unfold(folded, f); err != nil {
			t.Fatalf("unfold: %v", err)
		}
	}
	if diff := cmp.Diff(v, folded); diff != "" {
		t.Fatalf("folding and unfolding left (-want +got):\n%s", diff)
	}
	return facts, after
}

// tells checks the facts of the last round: "type", "type node", "type /shard" or "type node/shard" each.
func (s *story) tells(want ...string) *story {
	s.t.Helper()
	var got []string
	for _, f := range s.facts {
		line := string(f.Type)
		if f.Node != "" || f.Shard != "" {
			line += " " + f.Node
		}
		if f.Shard != "" {
			line += "/" + f.Shard
		}
		got = append(got, line)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Fatalf("facts (-want +got):\n%s", diff)
	}
	return s
}

// noted checks the notes.
func (s *story) noted(want *fsm.Notes) *story {
	s.t.Helper()
	if diff := cmp.Diff(want, s.notes); diff != "" {
		s.t.Fatalf("notes (-want +got):\n%s", diff)
	}
	return s
}

// after is the After of the last round's only fact of a type.
func after[P fsm.Part](s *story, kind fsm.EventType) P {
	s.t.Helper()
	var found []fsm.Fact
	for _, f := range s.facts {
		if f.Type == kind {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		s.t.Fatalf("%d facts of type %s", len(found), kind)
	}
	p, ok := found[0].After.(P)
	if !ok {
		s.t.Fatalf("%s has after %T", kind, found[0].After)
	}
	return p
}

// health checks the view's health and reasons, "degraded: lag_high".
func (s *story) health(want string) *story {
	s.t.Helper()
	got := s.view.Cluster.Health
	if r := s.view.Cluster.Reasons; len(r) > 0 {
		got += ": " + strings.Join(r, " ")
	}
	if got != want {
		s.t.Fatalf("health is %q, want %q", got, want)
	}
	return s
}

// up is the answer of a node that is up, with shards given as "id:role".
func up(node string, shards ...string) fsm.Report {
	r := fsm.Report{Node: node, Reachable: true, State: fsm.StateUp, Kind: "redis", Version: "7.0"}
	for _, s := range shards {
		id, role, _ := strings.Cut(s, ":")
		r.Shards = append(r.Shards, fsm.Shard{ID: id, Role: role})
	}
	return r
}

// with changes a report.
func with(r fsm.Report, change func(*fsm.Report)) fsm.Report {
	change(&r)
	return r
}

func refused(node string) fsm.Report { return fsm.Unreachable(node, fsm.ReasonRefused, "dial") }

func decommissioned(node string) fsm.Fact {
	return fsm.Fact{
		Type: fsm.NodeDecommissioned, Node: node,
		Before: &fsm.LifecyclePart{Lifecycle: fsm.Commissioned}, After: &fsm.LifecyclePart{Lifecycle: fsm.Decommissioned},
	}
}

func failure(node string, count int, observed fsm.Time, peers ...string) *fsm.Notes {
	return &fsm.Notes{Failures: []fsm.Failure{{Node: node, Count: count, Peers: peers, Observed: observed}}}
}
