package fsm_test

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/musterhq/muster/fsm"
)

// What an entry writes costs the same however many rows there are beside it: 4,000 claims are granted and closed.
func TestRowsBesideCostNothing(t *testing.T) {
	const claims = 4000
	few, many := claimAllocs(t, claims, 5_000), claimAllocs(t, claims, 100_000)
	if many > few*1.02 {
		t.Errorf("granting and closing %d claims takes %.0f allocations with 5,000 clusters, %.0f with 100,000", claims, few, many)
	}
}

// claimAllocs is how many allocations it takes to grant and close the claims of some of all clusters.
func claimAllocs(t *testing.T, claims, clusters uint64) float64 {
	t.Helper()
	l := &log{t: t, state: fsm.Crowd(clusters), index: 1}
	grant := &fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: "p", TTL: fsm.Minute, Reason: fsm.WhyDue}
	unchanged := &fsm.RefreshUnchanged{Groups: make([]fsm.Unchanged, 1)}
	for id := uint64(1); id <= claims; id++ {
		grant.IDs = append(grant.IDs, id)
	}
	return testing.AllocsPerRun(3, func() {
		if a := l.entry(grant); len(a.Granted) != int(claims) {
			t.Errorf("%d claims granted", len(a.Granted))
		}
		unchanged.AsOf = l.index
		unchanged.Groups[0] = fsm.Unchanged{Token: l.index, Clusters: grant.IDs}
		if a := l.entry(unchanged); len(a.Closed) != int(claims) {
			t.Errorf("%d claims closed", len(a.Closed))
		}
	})
}

// model is rows of subjects beside what they should be.
type model struct {
	rows *fsm.Subjects
	want map[fsm.Subject]fsm.Time
}

func (m model) copy() model { return model{m.rows.Copy(), maps.Clone(m.want)} }

// Rows are those that were put and not dropped, by kind and id. Whatever is written, those that were copied stay as they
// were, and who looks through all sees them as they were when it began.
func TestSubjectsStayAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		last := model{new(fsm.Subjects), map[fsm.Subject]fsm.Time{}}
		next, kept := last.copy(), []model{last}
		var looks []func()
		steps := map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				s, done := drawSubject(t), fsm.Time(rapid.Int64Range(1, 1000).Draw(t, "done"))
				next.rows.Put(s, done)
				next.want[s] = done
			},
			"drop": func(t *rapid.T) {
				s := drawSubject(t)
				next.rows.Drop(s)
				delete(next.want, s)
			},
			"commit": func(*rapid.T) {
				last, kept = next, append(kept, next)
				next = last.copy()
			},
			"abort": func(*rapid.T) { next = last.copy() },
			"look": func(t *rapid.T) {
				all, want := next.rows.All(), maps.Clone(next.want)
				looks = append(looks, func() { alike(t, all, want) })
			},
		}
		steps["put again"] = steps["put"]
		t.Repeat(steps)
		for _, look := range looks {
			look()
		}
		for _, m := range append(kept, next) {
			m.check(t)
		}
		for s := range next.want {
			next.rows.Drop(s)
		}
		if !next.rows.Empty() {
			t.Fatal("branches stay without a row")
		}
	})
}

// drawSubject draws few subjects and ids far apart, so that rows are replaced and trees grow.
func drawSubject(t *rapid.T) fsm.Subject {
	return fsm.Subject{
		Kind: rapid.SampledFrom([]fsm.Kind{fsm.KindRun, fsm.KindRefresh}).Draw(t, "kind"),
		ID:   rapid.Uint64Range(0, 20).Draw(t, "id") << rapid.SampledFrom([]int{0, 0, 4, 30, 59}).Draw(t, "shift"),
	}
}

func (m model) check(t *rapid.T) {
	t.Helper()
	alike(t, m.rows.All(), m.want)
	for s, done := range m.want {
		if got, there := m.rows.Done(s); !there || got != done {
			t.Fatalf("%v was done at %d, %v; want %d", s, got, there, done)
		}
	}
	if s := drawSubject(t); m.want[s] == 0 {
		if got, there := m.rows.Done(s); there {
			t.Fatalf("%v is not there and was done at %d", s, got)
		}
	}
}

// alike checks that rows are those wanted, in order.
func alike(t *rapid.T, rows iter.Seq2[fsm.Subject, fsm.Time], want map[fsm.Subject]fsm.Time) {
	t.Helper()
	order := slices.SortedFunc(maps.Keys(want), func(a, b fsm.Subject) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	var got []fsm.Subject
	for s, done := range rows {
		if got = append(got, s); want[s] != done {
			t.Fatalf("%v was done at %d, want %d", s, done, want[s])
		}
	}
	if !slices.Equal(got, order) {
		t.Fatalf("rows of %v, want %v", got, order)
	}
}
