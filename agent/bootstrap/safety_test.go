package bootstrap_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/musterhq/muster/agent/bootstrap"
)

// subset is the part of peers whose bit is set.
func subset(peers []bootstrap.Peer, bits int) []bootstrap.Peer {
	var out []bootstrap.Peer
	for i, p := range peers {
		if bits&(1<<i) != 0 {
			out = append(out, p)
		}
	}
	return out
}

// Every order of steps, views, crashes, losses, delays and repetitions of a
// small world, as long as no peer promises more often than serials. From every
// state that can be reached there is also a way out.
func TestNoTwoGroupsExhaustively(t *testing.T) {
	for name, size := range map[string]struct{ peers, expect, serials int }{
		"one of two": {2, 1, 3}, "two of two": {2, 2, 3}, "two of three": {3, 2, 3},
		"two of four": {4, 2, 1}, "three of four": {4, 3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			states, founded := explore(t, newWorld(size.peers, size.expect), uint64(size.serials))
			if founded == 0 {
				t.Error("nobody ever founded a group")
			}
			t.Logf("%d states, %d of them with a group", states, founded)
		})
	}
}

// stateLimit is well above what any of the small worlds has.
const stateLimit = 10_000

func explore(t *testing.T, first *world, serials uint64) (states, founded int) {
	t.Helper()
	seen := map[string]bool{}
	queue := []*world{first}
	for len(queue) > 0 {
		w := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		key := fingerprint(w)
		if seen[key] {
			continue
		}
		seen[key] = true
		if states++; states > stateLimit {
			t.Fatalf("over %d states: the world should be smaller", stateLimit)
		}
		if err := w.sound(); err != nil {
			t.Fatalf("%v in %s", err, key)
		}
		if len(w.founded) > 0 {
			founded++
		}
		if !w.clone().settle() {
			t.Fatalf("no way out of %s", key)
		}
		queue = append(queue, successors(w, serials)...)
	}
	return states, founded
}

// successors are all worlds one atomic step away. A crash is one of them: a
// step whose write is there and whose message is not. A torn write changes
// nothing, which needs no successor.
func successors(w *world, serials uint64) []*world {
	var out []*world
	try := func(f func(*world)) {
		c := w.clone()
		f(c)
		for _, p := range c.disk {
			if p.Serial > serials {
				return
			}
		}
		out = append(out, c)
	}
	peers := w.peers()
	for view := range 1 << len(peers) {
		shown := subset(peers, view)
		blind := func(id string) bool { return view&(1<<slices.Index(w.ids, id)) == 0 } // seeing oneself changes nothing
		for _, id := range w.ids {
			if blind(id) {
				try(func(c *world) { c.step(id, shown, false, false) })
				try(func(c *world) { c.step(id, shown, true, false) })
			}
		}
		for _, o := range w.offers {
			if blind(o.To) {
				try(func(c *world) { c.deliver(o, shown, false) })
			}
		}
	}
	for _, r := range w.answers {
		try(func(c *world) { c.heed(r) })
	}
	return out
}

// fingerprint is the same for worlds that differ only in the order in which
// things were sent. It is written by hand since most of the search is this.
func fingerprint(w *world) string {
	var b []byte
	for _, id := range w.ids {
		p := w.disk[id]
		b = strconv.AppendUint(append(b, p.To...), p.Serial, 10)
		for _, other := range w.ids {
			b = strconv.AppendUint(append(b, ' '), p.Held[other], 10)
			b = strconv.AppendUint(append(b, '/'), p.Returned[other], 10)
		}
		b = append(append(b, ' '), strings.Join(p.Founding, "")...)
		b = append(append(b, '|'), strings.Join(w.founded[id], "")...)
		b = append(b, '\n')
	}
	var sent []string
	for _, o := range w.offers {
		sent = append(sent, o.From+o.To+strconv.FormatUint(o.Serial, 10))
	}
	for _, r := range w.answers {
		sent = append(sent, r.offer.From+r.offer.To+strconv.FormatUint(r.offer.Serial, 10)+string(r.answer.State))
	}
	slices.Sort(sent)
	return string(b) + strings.Join(sent, " ")
}

// Larger worlds, at random.
func TestNoTwoGroups(t *testing.T) {
	groups := 0
	rapid.Check(t, func(t *rapid.T) {
		expect := rapid.IntRange(1, 4).Draw(t, "expect")
		w := newWorld(rapid.IntRange(expect, 2*expect+2).Draw(t, "peers"), expect)
		for range rapid.IntRange(0, 120).Draw(t, "steps") {
			disturb(t, w)
			if err := w.sound(); err != nil {
				t.Fatal(err)
			}
		}
		if len(w.founded) > 0 {
			groups++
		}
	})
	if groups == 0 {
		t.Error("no run came to a group, so nothing was tested")
	}
}

// Whatever has happened before, once all stay up and see each other there is a
// group.
func TestAlwaysEndsWhenAllSeeEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		expect := rapid.IntRange(1, 4).Draw(t, "expect")
		w := newWorld(rapid.IntRange(expect, 2*expect+2).Draw(t, "peers"), expect)
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			disturb(t, w)
		}
		if !w.settle() {
			t.Fatalf("no group: %+v", w.disk)
		}
		if err := w.sound(); err != nil {
			t.Fatal(err)
		}
	})
}

// disturb does one thing to one peer.
func disturb(t *rapid.T, w *world) {
	all := 1<<len(w.ids) - 1
	view := subset(w.peers(), rapid.OneOf(
		rapid.SampledFrom([]int{all, all &^ 1, all &^ 3, all >> 1}), rapid.IntRange(0, all)).Draw(t, "view"))
	fate := rapid.SampledFrom([]string{"", "", "", "crash", "torn"}).Draw(t, "fate")
	switch what := rapid.SampledFrom([]string{"step", "step", "offer", "offer", "answer"}).Draw(t, "what"); {
	case what == "offer" && len(w.offers) > 0:
		w.deliver(rapid.SampledFrom(w.offers).Draw(t, "offer"), view, fate == "torn")
	case what == "answer" && len(w.answers) > 0:
		w.heed(rapid.SampledFrom(w.answers).Draw(t, "answer"))
	default:
		w.step(rapid.SampledFrom(w.ids).Draw(t, "id"), view, fate == "crash", fate == "torn")
	}
}
