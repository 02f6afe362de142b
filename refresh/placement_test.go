package refresh_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

func peersNamed(n int) []*fsm.Peer {
	var out []*fsm.Peer
	for i := range n {
		out = append(out, &fsm.Peer{ID: fmt.Sprintf("01JD0000000000000000%06d", i*i*7919)})
	}
	return out
}

// A peer that goes moves its own subjects and no others, to all that are left; where it was comes back with it.
func TestPlacementMovesOnlyWhatWasLost(t *testing.T) {
	const subjects = 6000
	for _, n := range []int{2, 3, 5, 9} {
		all := peersNamed(n)
		left := slices.Delete(slices.Clone(all), n/2, n/2+1)
		gone, moved := all[n/2].ID, map[string]int{}
		for id := range uint64(subjects) {
			s := fsm.Subject{Kind: fsm.KindRefresh, ID: id + 1}
			before, after := refresh.Place(s, all), refresh.Place(s, left)
			if before[0].ID == gone {
				moved[after[0].ID]++
			}
			if before = slices.DeleteFunc(before, func(p *fsm.Peer) bool { return p.ID == gone }); !slices.Equal(before, after) {
				t.Fatalf("subject %d: the order of who is left changed", id)
			}
		}
		sum := 0
		for _, p := range left {
			sum += moved[p.ID]
			if fair := subjects / n / (n - 1); moved[p.ID] < fair*7/10 || moved[p.ID] > fair*13/10 {
				t.Errorf("%d peers: %d subjects move to one of them, a fair share is %d", n, moved[p.ID], fair)
			}
		}
		if fair := subjects / n; sum < fair*8/10 || sum > fair*12/10 {
			t.Errorf("%d peers: %d subjects were one peer's, a fair share is %d", n, sum, fair)
		}
	}
}

// The order depends on ids alone: not on how peers come in, and a run and a refresh of one number are placed apart.
func TestPlacementDependsOnIDs(t *testing.T) {
	peers := peersNamed(5)
	apart := 0
	for id := range uint64(200) {
		s := fsm.Subject{Kind: fsm.KindRefresh, ID: id}
		turned := slices.Concat(peers[2:], peers[:2])
		given := slices.Clone(turned)
		if !slices.Equal(refresh.Place(s, peers), refresh.Place(s, turned)) {
			t.Fatalf("subject %d: another order of peers gives another placement", id)
		}
		if !slices.Equal(given, turned) {
			t.Fatal("the peers given were changed")
		}
		if refresh.Place(fsm.Subject{Kind: fsm.KindRun, ID: id}, peers)[0] != refresh.Place(s, peers)[0] {
			apart++
		}
	}
	if apart < 120 {
		t.Errorf("only %d of 200 runs are placed apart from the refresh of their number", apart)
	}
}

// What is granted goes to the first peer in placement order that has room.
func TestGrantsFollowPlacement(t *testing.T) {
	l := lead(t, 200, "a", "b", "c", "d", "e")
	sizes := make([]int, 300)
	for i := range sizes {
		sizes[i] = 3
	}
	l.read(sizes...)
	l.begin()
	left, granted := map[string]int{"a": 200, "b": 200, "c": 200, "d": 200, "e": 200}, 0
	for _, c := range l.beat(quarter) {
		g := c.(*fsm.ClaimGrant)
		for _, id := range g.IDs {
			left[g.Peer] -= 3
			granted++
			for _, p := range refresh.Place(fsm.Subject{Kind: g.Kind, ID: id}, l.ready) {
				if p.ID == g.Peer {
					break
				}
				if g.Kind == fsm.KindRefresh && left[p.ID] >= 100 {
					t.Fatalf("%v %d goes to %s though %s has room and comes first", g.Kind, id, g.Peer, p.ID)
				}
			}
		}
	}
	if granted < 300 {
		t.Errorf("%d claims", granted)
	}
}
