package fsm_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

func TestSizes(t *testing.T) {
	l := newLog(t)
	if diff := cmp.Diff(fsm.Sizes{}, l.state.Read().Sizes()); diff != "" {
		t.Errorf("of a new state:\n%s", diff)
	}
	d := l.discovery("consul")
	c := l.cluster(d, "orders", "orders-0", "orders-1")
	l.cluster(d, "payments", "payments-0", "payments-1", "payments-2")
	l.claim(fsm.KindRefresh, c.ID, fsm.WhyDue)
	l.ok(&fsm.TokenBootstrap{Token: fsm.Token{Accessor: "a", Hash: fsm.HashSecret("s"), Rights: []fsm.Right{fsm.MayManage}}})
	want := fsm.Sizes{Discoveries: 1, Clusters: 2, Nodes: 5, Largest: 3, Claims: 1, Tokens: 1}
	if diff := cmp.Diff(want, l.state.Read().Sizes()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
