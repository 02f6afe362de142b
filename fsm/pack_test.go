package fsm_test

import (
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/fsm"
)

// TestPackingKeepsEveryField fills every field there is, so that one that is added and not packed is found.
func TestPackingKeepsEveryField(t *testing.T) {
	var node fsm.Node
	var listing fsm.Listing
	for _, v := range []any{&node, &listing} {
		n := 0
		fill(t, reflect.ValueOf(v).Elem(), &n)
	}
	node.Cluster, listing.Cluster, listing.Discovery = 0, 0, 0 // the row's
	if diff := cmp.Diff(&node, fsm.PackedNode(&node)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(&listing, fsm.PackedListing(&listing)); diff != "" {
		t.Error(diff)
	}
}

// TestGistsAreWhatNodesAreCountedBy compares gists with the nodes: they hold all that counting looks at, and nothing of another
// node.
func TestGistsAreWhatNodesAreCountedBy(t *testing.T) {
	l := newLog(t)
	c := l.cluster(l.discovery("d"), "c", "a", "b", "c")
	l.ok(l.round(l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue), fsm.Report{
		Node: "a", Reachable: true, NodeID: "a", State: fsm.StateUp, Kind: "redis", Version: "7", Attributes: map[string]string{"x": "y"},
		Shards: []fsm.Shard{{ID: "0", Role: fsm.RolePrimary, Offset: &fsm.Offset{Value: 1, Unit: "bytes"}}},
	}, fsm.Report{Node: "b", Reason: "timeout"}))
	r := l.state.Read()
	var got, want []fsm.Node
	for n := range r.Nodes(c.ID) {
		n := *n
		n.Endpoint, n.Sources, n.Settings, n.Muted, n.Index, n.Said.Attributes = fsm.Endpoint{}, nil, fsm.Settable{}, nil, 0, nil
		want = append(want, n)
	}
	for n := range r.Gists(c.ID) {
		got = append(got, *n)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want[0].Said.Shards) == 0 {
		t.Errorf("gists of %d nodes (-want +got):\n%s", len(want), diff)
	}
}

// fill sets a value and all below it to something that is not zero, and each to something else.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString("text " + strconv.Itoa(*n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(t, field, n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0), n)
		fill(t, v.Index(1), n)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key, n)
		fill(t, value, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	default:
		t.Fatalf("a field of kind %s: teach the packer and this test", v.Kind())
	}
}

func TestPackingAnything(t *testing.T) {
	words := rapid.SampledFrom([]string{"", "present", "up", "unreachable", "a", "bytes", "é\x00\xff", string(make([]byte, 300))})
	times := rapid.SampledFrom([]fsm.Time{0, 1, -1, 63, 64, 1 << 40, math.MaxInt64, math.MinInt64})
	rapid.Check(t, func(t *rapid.T) {
		word, at := func() string { return words.Draw(t, "word") }, func() fsm.Time { return times.Draw(t, "time") }
		n := &fsm.Node{
			ID: word(), Presence: fsm.Presence(word()), Lifecycle: fsm.Lifecycle(word()), Index: uint64(at()),
			Endpoint: fsm.Endpoint{Address: word(), Port: int(at()), Probe: word()},
			Reach:    fsm.Axis{Value: word(), Reason: word(), Since: at()},
			Said:     fsm.Said{Version: word()},
		}
		for range rapid.IntRange(0, 3).Draw(t, "shards") {
			lag := int64(at())
			s := fsm.Shard{ID: word(), Role: word(), LagMS: &lag}
			if rapid.Bool().Draw(t, "offset") {
				s.Offset = &fsm.Offset{Value: int64(at()), Unit: word()}
			}
			n.Said.Shards = append(n.Said.Shards, s)
		}
		for range rapid.IntRange(0, 3).Draw(t, "labels") {
			if n.Endpoint.Labels == nil {
				n.Endpoint.Labels = map[string]string{}
			}
			n.Endpoint.Labels[word()] = word()
		}
		if diff := cmp.Diff(n, fsm.PackedNode(n)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestRestoreGathersWhatBelongsTogether restores the nodes of two clusters in another order than they are written in.
func TestRestoreGathersWhatBelongsTogether(t *testing.T) {
	l := newLog(t)
	d := l.discovery("d")
	l.cluster(d, "one", "a", "b")
	l.cluster(d, "two", "a")
	frames := framesOf(t, l.snapshot())
	frames = frames[:len(frames)-1]
	for _, table := range []byte{7, 8} {
		first := slices.IndexFunc(frames, func(f frame) bool { return f.number == table })
		apart := slices.Clone(frames)
		apart[first+1], apart[first+2] = apart[first+2], apart[first+1]
		err := wastes(t, restored(t, l.snapshot()), joined(t, apart, len(apart)-1), "nodes of a cluster apart")
		if !strings.Contains(err.Error(), "two places") {
			t.Errorf("table %d: %v", table, err)
		}
	}
}

// TestRestoredListingsAreInForce lets the older of two discoveries lose sight of a cluster: the younger's settings hold, also
// after a restore.
func TestRestoredListingsAreInForce(t *testing.T) {
	l := newLog(t)
	older, younger := l.discovery("older"), spec()
	younger.Refresh.Interval = 77 * fsm.Second
	l.ok(&fsm.DiscoveryApply{Name: "younger", Spec: younger, Cause: fsm.Cause{Kind: fsm.CauseOperator}})
	l.cluster(older, "c", "a")
	c := l.cluster(l.state.Read().Discovery("younger"), "c", "a")
	if got := l.state.Read().RefreshOf(c).Interval; got != older.Spec.Refresh.Interval {
		t.Fatalf("while both list it the interval is %s", got)
	}
	l.cluster(older, "c") // a full read without it
	for name, s := range map[string]*fsm.State{"applied": l.state, "restored": restored(t, l.snapshot())} {
		if got := s.Read().RefreshOf(s.Read().Cluster("c")).Interval; got != younger.Refresh.Interval {
			t.Errorf("%s: the interval is %s, not the younger's", name, got)
		}
	}
}
