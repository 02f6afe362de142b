package fsm_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/musterhq/muster/fsm"
)

// sets are all that can be waited for; name is of a cluster.
var sets = []struct {
	set   fsm.Set
	table byte // its number in a snapshot
	name  string
}{
	{fsm.SetDiscoveries, 5, ""},
	{fsm.SetClusters, 6, ""},
	{fsm.SetNodes, 7, ""},
	{fsm.SetClaims, 9, ""},
	{fsm.SetPeers, 4, ""},
	{fsm.SetSettings, 3, ""},
	{fsm.SetEvents, 11, ""},
	{fsm.SetCluster("c"), 6, "c"},
	{fsm.SetCluster("f"), 6, "f"},
}

// wakes checks that an index moves to the entry's, never back, and that its channel closes exactly when it moves. An entry
// of one command moves it exactly with the rows of the set.
func (l *ledger) wakes(r *fsm.Reader, e *entry, before *fsm.Reader, a *fsm.Applied) {
	rowsBefore, rows := tables(l.t, before), tables(l.t, r)
	for _, s := range sets {
		was, is := before.Wait(s.set), r.Wait(s.set)
		if is.Index == 0 || is.Index < was.Index || is.Index != was.Index && is.Index != e.index {
			l.t.Fatalf("index of %+v is %d after %d in entry %d", s.set, is.Index, was.Index, e.index)
		}
		moved := is.Index != was.Index
		there := s.name == "" && was.Index > 1 || s.name != "" && before.Cluster(s.name) != nil
		if closed(was.Changed) != moved && there {
			l.t.Fatalf("%+v: index moved %t, channel closed %t by %s", s.set, moved, closed(was.Changed), names(e, a))
		}
		if closed(was.Abandoned) {
			l.t.Fatal("abandoned without a restore")
		}
		changed := !bytes.Equal(rowsBefore[s.table], rows[s.table])
		if s.name != "" {
			changed = !bytes.Equal(clusterRows(before, s.name), clusterRows(r, s.name))
			moved = moved && (there || r.Cluster(s.name) != nil) // what is not there has the table's index
		}
		if changed && (!moved || !closed(was.Changed)) || moved && !changed && len(e.commands) == 1 {
			l.t.Fatalf("%+v: content changed %t, index moved %t by %s", s.set, changed, moved, names(e, a))
		}
	}
	if was := before.Applied(); !closed(was.Changed) || r.Applied().Index != e.index {
		l.t.Fatal("nobody hears that an entry was applied")
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// tables is the rows that readers of each table wait for: of a claim not how far it is, of the events only the last.
func tables(t failer, r *fsm.Reader) map[byte][]byte {
	var b bytes.Buffer
	if err := r.WriteSnapshot(&b); err != nil {
		t.Fatal(err)
	}
	out := map[byte][]byte{}
	for _, f := range framesOf(t, b.Bytes()) {
		out[f.number] = fmt.Appendf(out[f.number], "%d:%s", len(f.body), f.body)
	}
	m := r.Meta()
	out[4] = fmt.Appendf(out[4], "%s %s %d", m.Leader, m.LeaderName, m.Term)
	out[9], out[11] = nil, fmt.Append(nil, m.Seq)
	for c := range r.Claims() {
		out[9] = fmt.Appendln(out[9], c.Subject, c.Token, c.Peer)
	}
	return out
}

func clusterRows(r *fsm.Reader, name string) []byte {
	c := r.Cluster(name)
	if c == nil {
		return nil
	}
	raw, err := json.Marshal(r.View(c.ID))
	if err != nil {
		panic(err)
	}
	return raw
}

// TestRestoreWakesAll checks that a restore wakes who waits for anything, and that what they then read is the snapshot's.
func TestRestoreWakesAll(t *testing.T) {
	l := newLog(t)
	d := l.discovery("d")
	snap := l.snapshot()
	l.cluster(d, "c", "a")
	r := l.state.Read()
	if err := l.state.Restore(bytes.NewReader(snap)); err != nil {
		t.Fatal(err)
	}
	for _, s := range sets {
		if w := r.Wait(s.set); !closed(w.Abandoned) {
			t.Errorf("who waits for %+v sleeps on", s.set)
		}
		if w := l.state.Read().Wait(s.set); closed(w.Abandoned) || closed(w.Changed) {
			t.Errorf("who waits for %+v anew is woken", s.set)
		}
	}
	if !closed(r.Applied().Abandoned) {
		t.Error("who waits for an entry sleeps on")
	}
	if l.state.Read().Cluster("c") != nil || r.Cluster("c") == nil {
		t.Error("the restore merged, or changed what an old reader sees")
	}
}

// TestFailedRestoreWakesNobody checks that a restore that fails is as if it had not been tried.
func TestFailedRestoreWakesNobody(t *testing.T) {
	l := newLog(t)
	r, before := l.state.Read(), l.snapshot()
	if err := l.state.Restore(bytes.NewReader(before[:len(before)-1])); err == nil {
		t.Fatal("a snapshot cut short was restored")
	}
	if w := r.Wait(fsm.SetEvents); closed(w.Abandoned) || closed(w.Changed) {
		t.Error("somebody woke")
	}
	if !bytes.Equal(before, l.snapshot()) {
		t.Error("the state is another")
	}
}

// TestWaitForClusterToCome checks that who waits for a cluster that is not there wakes when it comes, and that the index
// does not fall when it goes.
func TestWaitForClusterToCome(t *testing.T) {
	l := newLog(t)
	d := l.discovery("d")
	absent := l.state.Read().Wait(fsm.SetCluster("c"))
	c := l.cluster(d, "c", "a")
	if !closed(absent.Changed) {
		t.Error("nobody hears that the cluster is there")
	}
	there := l.state.Read().Wait(fsm.SetCluster("c"))
	if there.Index != c.Index || there.Index <= absent.Index {
		t.Errorf("index is %d after %d, of a cluster at %d", there.Index, absent.Index, c.Index)
	}
	l.cluster(d, "f", "a")
	if closed(there.Changed) {
		t.Error("another cluster woke who waits for this one")
	}
	l.ok(&fsm.ClusterChange{Changes: []fsm.Change{l.forget("c", "a")}, Cause: operator})
	gone := l.state.Read().Wait(fsm.SetCluster("c"))
	if !closed(there.Changed) || gone.Index <= there.Index {
		t.Errorf("index is %d after %d when the cluster is gone", gone.Index, there.Index)
	}
}
