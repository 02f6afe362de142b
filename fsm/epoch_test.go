package fsm_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// own is the group that takes a state up in these tests.
func own() fsm.Rebirth {
	return fsm.Rebirth{
		Epoch: "e9",
		Own:   fsm.Meta{Group: "own", Feature: 1, Index: 40, Time: 7_000_000, Leader: "p1", LeaderName: "peer-a", Term: 4},
		Peers: []fsm.Peer{{ID: "p1", Name: "peer-a", Status: fsm.PeerAlive}, {ID: "p2", Name: "peer-b", Status: fsm.PeerGone}},
		Cause: fsm.Cause{Kind: fsm.CauseOperator, Address: "10.0.0.9"},
	}
}

func begun(t *testing.T, l *log, b fsm.Rebirth) (*fsm.Reader, uint64) {
	t.Helper()
	index, err := l.state.BeginEpoch(b)
	if err != nil {
		t.Fatal(err)
	}
	return restored(t, l.snapshot()).Read(), index // which verifies it whole
}

func TestBeginEpochTakesTheGroupsOwn(t *testing.T) {
	l := newLog(t)
	l.ok(&fsm.PeerSet{Peer: fsm.Peer{ID: "old", Name: "peer-z", Status: fsm.PeerAlive}})
	l.ok(&fsm.LeaderChange{ID: "old", Name: "peer-z", Term: 900})
	before := l.state.Read().Meta()
	r, index := begun(t, l, own())
	m := r.Meta()
	got := fsm.Meta{Group: m.Group, Epochs: m.Epochs, Feature: m.Feature, Time: m.Time, Leader: m.Leader, LeaderName: m.LeaderName, Term: m.Term, Seq: m.Seq, Index: m.Index}
	want := own().Own
	want.Epochs = []fsm.EpochMark{{Epoch: "e1", First: 1}, {Epoch: "e9", First: before.Seq + 1}}
	want.Seq, want.Index = before.Seq+1, index
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("meta (-want +got):\n%s", diff)
	}
	peers := own().Peers
	for i := range peers {
		peers[i].Index = index
	}
	var rows []fsm.Peer
	for p := range r.Peers() {
		rows = append(rows, *p)
	}
	if diff := cmp.Diff(peers, rows); diff != "" {
		t.Errorf("peers (-want +got):\n%s", diff)
	}
}

func TestBeginEpochTellsIt(t *testing.T) {
	l := newLog(t)
	l.discovery("d")
	before := l.state.Read().Meta()
	r, _ := begun(t, l, own())
	want := []*fsm.Event{{
		Seq: before.Seq + 1, Time: own().Own.Time, Cause: own().Cause,
		Fact: fsm.Fact{Type: fsm.StateRestored, After: &fsm.RestoredPart{Epoch: "e1", Seq: before.Seq}},
	}}
	if diff := cmp.Diff(want, slices.Collect(r.Events(before.Seq))); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, slices.Collect(r.Audit(before.Seq))); diff != "" {
		t.Errorf("operators' events (-want +got):\n%s", diff)
	}
	// A cursor of the earlier epoch is good up to where that was cut, and no further.
	if seq, err := r.Meta().Resume(fsm.Cursor{Epoch: "e1", Seq: before.Seq}); err != nil || seq != before.Seq {
		t.Errorf("the cursor at the cut resumes at %d: %v", seq, err)
	}
	_, err := r.Meta().Resume(fsm.Cursor{Epoch: "e1", Seq: before.Seq + 1})
	var gone *fsm.Error
	if !errors.As(err, &gone) || gone.Code != fsm.CodeGone || gone.Fields["oldest"] != "e9:"+itoa(before.Seq) {
		t.Errorf("a cursor past the cut: %v", err)
	}
}

func TestBeginEpochClosesClaims(t *testing.T) {
	l := newLog(t)
	d := l.discovery("d")
	c := l.cluster(d, "c", "a")
	claim := l.claim(fsm.KindRefresh, c.ID, fsm.WhyAsked)
	r, index := begun(t, l, own())
	if open := slices.Collect(r.Claims()); len(open) > 0 {
		t.Errorf("open claims: %v", open)
	}
	if s := r.Schedule(claim.Subject); s == nil || !s.AtOnce {
		t.Errorf("what was claimed is not due at once: %+v", s)
	}
	l.index = index
	if res := l.apply(l.round(claim))[0]; res.Error == nil {
		t.Error("a completion of a claim from before was taken")
	}
}

// TestBeginEpochMovesEveryIndex holds that nothing computed on either history passes for current afterwards, whichever of
// them was longer.
func TestBeginEpochMovesEveryIndex(t *testing.T) {
	for _, at := range []uint64{1, 10_000} {
		l := newLog(t)
		d := l.discovery("d")
		l.cluster(d, "c", "a")
		b := own()
		b.Own.Index = at
		r, index := begun(t, l, b)
		if index <= max(l.index, at) {
			t.Errorf("index %d does not pass %d and %d", index, l.index, at)
		}
		for name, got := range map[string]uint64{
			"cluster": r.Cluster("c").Index, "discovery": r.Discovery("d").Index, "discovery's settings": r.Discovery("d").Settings,
			"settings":        r.Settings().Index,
			"set of clusters": r.Wait(fsm.SetClusters).Index, "set of nodes": r.Wait(fsm.SetNodes).Index,
			"set of discoveries": r.Wait(fsm.SetDiscoveries).Index, "set of claims": r.Wait(fsm.SetClaims).Index,
			"set of peers": r.Wait(fsm.SetPeers).Index, "set of settings": r.Wait(fsm.SetSettings).Index,
			"set of events": r.Wait(fsm.SetEvents).Index,
		} {
			if got != index {
				t.Errorf("%s is at %d, not at %d", name, got, index)
			}
		}
	}
}

func TestBeginEpochRefuses(t *testing.T) {
	newer := newLog(t)
	newer.ok(&fsm.FeatureRaise{Level: 2})
	for name, state := range map[string]*fsm.State{"feature level 2": newer.state, "no group was born": fsm.NewState()} {
		before := snapshot(t, state)
		if _, err := state.BeginEpoch(own()); !errors.Is(err, fsm.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if string(before) != string(snapshot(t, state)) {
			t.Errorf("%s: it was refused and changed the state", name)
		}
	}
}

func TestCensusCountsRows(t *testing.T) {
	snap := told(t).snapshot()
	var whole, bytewise fsm.Census
	if _, err := whole.Write(snap); err != nil {
		t.Fatal(err)
	}
	for i := range snap {
		if _, err := bytewise.Write(snap[i : i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(whole.Counts(), bytewise.Counts()); diff != "" {
		t.Errorf("byte by byte it counts otherwise:\n%s", diff)
	}
	rows, size := int64(0), int64(0)
	var kinds []string
	for _, c := range whole.Counts() {
		kinds = append(kinds, c.Kind)
		rows, size = rows+c.Rows, size+c.Bytes
	}
	if diff := cmp.Diff([]string{
		"meta", "index", "settings", "peers", "discoveries", "clusters", "nodes", "listings", "claims", "schedules", "events", "audit", "tokens",
	}, kinds); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	all := framesOf(t, snap)
	if want := int64(len(all) - 2); rows != want { // but the header and the end
		t.Errorf("%d rows, not %d", rows, want)
	}
	if want := int64(len(snap) - all[0].size - all[len(all)-1].size); size != want {
		t.Errorf("%d bytes, not %d", size, want)
	}
}
