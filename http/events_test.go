package httpd_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// seqs is the seqs of a page of events.
func seqs(a answer) []uint64 {
	a.t.Helper()
	var out []uint64
	for _, e := range into[[]httpd.Event](a, http.StatusOK) {
		out = append(out, e.Seq)
	}
	return out
}

func TestEventJSON(t *testing.T) {
	f := newFace(t)
	f.fleet()
	f.move("maintenance", false, "orders/orders-1")
	e := into[[]json.RawMessage](f.get("/v1/events?type=node.unreachable"), http.StatusOK)
	if len(e) != 1 {
		t.Fatalf("%d events", len(e))
	}
	r := f.state.Read()
	var at fsm.Time
	var token, seq uint64
	for ev := range r.Events(0) {
		if ev.Type == fsm.NodeUnreachable {
			at, token, seq = ev.Time, ev.Cause.Token, ev.Seq
		}
	}
	since := r.Node(r.Cluster("orders").ID, "a/b").Reach.Since
	want := fmt.Sprintf(`{"epoch":"e1","seq":%d,"time":"%s","type":"node.unreachable","cluster":"orders","node":"a/b","shard":"",`+
		`"before":{"reach":""},"after":{"reach":"unreachable","reason":"connection_refused","detail":"dial","since":"%s"},`+
		`"cause":{"kind":"refresh","token":%d,"peer":"peer-a"}}`, seq, at, since, token)
	if diff := cmp.Diff(want, string(e[0])); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	all := into[[]httpd.Event](f.get("/v1/events?limit=1000"), http.StatusOK)
	last := all[len(all)-1]
	if last.Type != fsm.NodeMaintenance && all[len(all)-2].Type != fsm.NodeMaintenance {
		t.Fatalf("last event is %s", last.Type)
	}
	i := slices.IndexFunc(all, func(e httpd.Event) bool { return e.Type == fsm.NodeMaintenance })
	if !all[i].Maintenance || all[i].Cause.Address != "192.0.2.7" {
		t.Errorf("event of maintenance is %+v", all[i])
	}
	i = slices.IndexFunc(all, func(e httpd.Event) bool { return e.Type == fsm.NodeDiscovered })
	if all[i].Before != nil || all[i].Cause.Discovery != "prod" {
		t.Errorf("event of discovery is %+v", all[i])
	}
}

func TestEventPages(t *testing.T) {
	f := newFace(t)
	f.fleet()
	total := f.state.Read().Meta().Seq
	for limit := 1; limit <= int(total)+1; limit++ {
		after, want := "", uint64(1)
		for {
			a := f.get(fmt.Sprintf("/v1/events?limit=%d&after=%s", limit, after))
			got := seqs(a)
			for _, seq := range got {
				if seq != want {
					t.Fatalf("limit %d: event %d where %d was due", limit, seq, want)
				}
				want++
			}
			after = a.Header().Get("X-Muster-Next")
			if want := fmt.Sprintf("e1:%d", want-1); after != want {
				t.Fatalf("next is %q, want %q", after, want)
			}
			if len(got) == 0 {
				break
			}
		}
		if want != total+1 {
			t.Fatalf("limit %d: ended before event %d of %d", limit, want, total)
		}
	}
	ahead := f.get("/v1/events?after=e1:99999")
	if len(seqs(ahead)) != 0 || ahead.Header().Get("X-Muster-Next") != "e1:99999" {
		t.Errorf("a cursor ahead is answered with next %s", ahead.Header().Get("X-Muster-Next"))
	}
}

// TestEventPagesBack reads the log from its end, in pages of all sizes: each event once, the latest first, and no next after the first.
func TestEventPagesBack(t *testing.T) {
	f := newFace(t)
	f.fleet()
	f.apply(&fsm.EventsTrim{First: 5})
	total := f.state.Read().Meta().Seq
	for limit := 1; limit <= int(total)+1; limit++ {
		want := total
		for after, pages := "", 0; ; pages++ {
			a := f.get(fmt.Sprintf("/v1/events?reverse&limit=%d&after=%s", limit, after))
			for _, seq := range seqs(a) {
				if seq != want {
					t.Fatalf("limit %d: event %d where %d was due", limit, seq, want)
				}
				want--
			}
			if after = a.Header().Get("X-Muster-Next"); after == "" {
				break
			}
			if pages > int(total) {
				t.Fatalf("limit %d: %d pages and no end", limit, pages)
			}
		}
		if want != 4 {
			t.Fatalf("limit %d: ended after event %d", limit, want+1)
		}
	}
	var back, forth []uint64
	for _, query := range []string{"type=node.*", "cluster=orders&since=1h", "cause=operator", "node=a/b"} {
		back, forth = seqs(f.get("/v1/events?limit=1000&reverse&"+query)), seqs(f.get("/v1/events?limit=1000&"+query))
		slices.Reverse(back)
		if !slices.Equal(back, forth) || len(forth) == 0 {
			t.Errorf("%s: back %d, forth %d", query, back, forth)
		}
	}
	var mid fsm.Time
	for e := range f.state.Read().Events(total - 3) {
		mid = e.Time
		break
	}
	back, forth = seqs(f.get("/v1/events?reverse&since="+mid.String())), seqs(f.get("/v1/events?since="+mid.String()))
	slices.Reverse(back)
	if !slices.Equal(back, forth) || len(forth) == 0 {
		t.Errorf("since %s: back %d, forth %d", mid, back, forth)
	}
	// The rest went while it was read: that is the end. Another history is not.
	if a := f.get("/v1/events?reverse&after=e1:3"); len(seqs(a)) != 0 || a.Header().Get("X-Muster-Next") != "" {
		t.Errorf("before what is trimmed comes %s", a.Body)
	}
	f.get("/v1/events?reverse&after=other:3").refuses(http.StatusGone, fsm.CodeGone)
	f.get("/v1/events?reverse=maybe").blames("reverse")
	f.get("/v1/events/follow?reverse").blames("reverse")
}

func TestEventFilters(t *testing.T) {
	f := newFace(t)
	f.fleet()
	f.move("maintenance", false, "orders/orders-1")
	want := func(keep func(*fsm.Event) bool) []uint64 {
		var out []uint64
		for e := range f.state.Read().Events(0) {
			if keep(e) {
				out = append(out, e.Seq)
			}
		}
		if len(out) == 0 {
			t.Fatal("the test wants nothing")
		}
		return out
	}
	half := f.state.Read().Meta().Seq / 2
	var mid fsm.Time
	for e := range f.state.Read().Events(half) {
		mid = e.Time
		break
	}
	ago := f.now.Sub(mid).String()
	for query, keep := range map[string]func(*fsm.Event) bool{
		"type=node.*":                 func(e *fsm.Event) bool { return strings.HasPrefix(string(e.Type), "node.") },
		"type=node.up":                func(e *fsm.Event) bool { return e.Type == fsm.NodeUp },
		"cluster=carts":               func(e *fsm.Event) bool { return e.Cluster == "carts" },
		"node=a/b":                    func(e *fsm.Event) bool { return e.Node == "a/b" },
		"cause=operator":              func(e *fsm.Event) bool { return e.Cause.Kind == fsm.CauseOperator },
		"since=" + mid.String():       func(e *fsm.Event) bool { return e.Time >= mid },
		"since=" + ago:                func(e *fsm.Event) bool { return e.Time >= mid },
		"cause=operator&since=" + ago: func(e *fsm.Event) bool { return e.Cause.Kind == fsm.CauseOperator && e.Time >= mid },
		fmt.Sprintf("cluster=orders&after=e1:%d", half): func(e *fsm.Event) bool { return e.Cluster == "orders" && e.Seq > half },
	} {
		a := f.get("/v1/events?limit=1000&" + query)
		if diff := cmp.Diff(want(keep), seqs(a)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
		if !strings.Contains(query, "operator") && a.Header().Get("X-Muster-Next") != fmt.Sprintf("e1:%d", f.state.Read().Meta().Seq) {
			t.Errorf("%s: next is %s, not after the last one looked at", query, a.Header().Get("X-Muster-Next"))
		}
	}
	of := seqs(f.get("/v1/cluster/orders/events?limit=1000&type=node.*"))
	if diff := cmp.Diff(want(func(e *fsm.Event) bool { return e.Cluster == "orders" && strings.HasPrefix(string(e.Type), "node.") }), of); diff != "" {
		t.Errorf("of one cluster (-want +got):\n%s", diff)
	}
	for query, field := range map[string]string{
		"after=x": "after", "after=now": "after", "since=yesterday": "since", "cause=refresh": "cause", "limit=0": "limit", "typ=x": "typ",
	} {
		f.get("/v1/events?" + query).blames(field)
	}
	f.get("/v1/cluster/orders/events?cluster=carts").blames("cluster")
}

func TestTrimmedEvents(t *testing.T) {
	f := newFace(t)
	f.fleet()
	f.apply(&fsm.EventsTrim{First: 10})
	r := f.get("/v1/events?after=e1:3").refuses(http.StatusGone, fsm.CodeGone)
	if r.Error.Fields["oldest"] != "e1:9" {
		t.Fatalf("oldest is %v", r.Error.Fields)
	}
	if got := seqs(f.get("/v1/events?limit=1&after=e1:9")); !slices.Equal(got, []uint64{10}) {
		t.Errorf("after the oldest comes %v", got)
	}
	if got := seqs(f.get("/v1/events?limit=1")); !slices.Equal(got, []uint64{10}) {
		t.Errorf("the first kept is %v", got)
	}
	f.get("/v1/events?after=other:20").refuses(http.StatusGone, fsm.CodeGone)
	// What operators caused is kept longer.
	if got := seqs(f.get("/v1/events?cause=operator")); len(got) == 0 || got[0] >= 10 {
		t.Errorf("the operators' events are %v", got)
	}
	if a := f.get("/v1/events?cause=operator&after=e1:3"); a.Code != http.StatusOK {
		t.Errorf("an old cursor of the operators' events is answered %d", a.Code)
	}
	f.get("/v1/events?cause=operator&after=other:3").refuses(http.StatusGone, fsm.CodeGone)
}

// otherGroup is the snapshot of a state that never heard of epoch e1.
func otherGroup(t *testing.T) *bytes.Buffer {
	t.Helper()
	other := fsm.NewState()
	if _, err := other.Apply(11, fsm.Entry(start, fsm.Frame(&fsm.GroupCreate{Group: "g", Epoch: "e2"}))); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := other.Read().WriteSnapshot(&b); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestPlaceIsOfItsEpoch(t *testing.T) {
	m := &fsm.Meta{Epochs: []fsm.EpochMark{{Epoch: "e1", First: 1}, {Epoch: "e2", First: 81}}, First: 1, Seq: 90}
	for seq, want := range map[uint64]string{0: "e1:0", 1: "e1:1", 80: "e1:80", 81: "e2:81", 90: "e2:90", 200: "e2:200"} {
		got := httpd.PlaceOf(m, seq)
		if got.String() != want {
			t.Errorf("place %d is %s, want %s", seq, got, want)
		}
		if back, err := m.Resume(got); err != nil || back != seq {
			t.Errorf("%s leads back to %d: %v", got, back, err)
		}
	}
}
