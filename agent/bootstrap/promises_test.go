package bootstrap_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/agent/bootstrap"
)

// voters are alive voters-to-be that expect n.
func voters(n int, ids ...string) []bootstrap.Peer {
	var out []bootstrap.Peer
	for _, id := range ids {
		out = append(out, bootstrap.Peer{ID: id, Expect: n, Alive: true})
	}
	return out
}

// except is peers with the last one changed.
func except(peers []bootstrap.Peer, change func(*bootstrap.Peer)) []bootstrap.Peer {
	change(&peers[len(peers)-1])
	return peers
}

type held = map[string]uint64

func TestStep(t *testing.T) {
	fresh := bootstrap.Promises{ID: "b"}
	bound := bootstrap.Promises{ID: "b", To: "a", Serial: 4}
	holder := bootstrap.Promises{ID: "b", To: "b", Serial: 2, Held: held{"b": 2, "c": 7}, Returned: held{"d": 3}}
	founder := bootstrap.Promises{ID: "b", To: "b", Serial: 2, Held: held{"b": 2, "c": 7, "d": 4}, Founding: []string{"b", "c", "d"}}
	offer := bootstrap.Offer{From: "b", To: "a", Serial: 1, Expect: 3}
	again := bootstrap.Offer{From: "b", To: "a", Serial: 4, Expect: 3}

	for name, c := range map[string]struct {
		p    bootstrap.Promises
		seen []bootstrap.Peer
		want bootstrap.Promises
		verb bootstrap.Verb
		off  bootstrap.Offer
		set  []string
	}{
		"too few":               {p: fresh, seen: voters(3, "a"), want: fresh},
		"enough, not lowest":    {p: fresh, seen: voters(3, "a", "c"), want: bootstrap.Promises{ID: "b", To: "a", Serial: 1}, verb: bootstrap.Promise, off: offer},
		"enough, lowest":        {p: fresh, seen: voters(3, "c", "d"), want: bootstrap.Promises{ID: "b", To: "b", Serial: 1, Held: held{"b": 1}}},
		"the dead do not count": {p: fresh, seen: except(voters(3, "a", "c"), func(p *bootstrap.Peer) { p.Alive = false }), want: fresh},
		"workers do not count":  {p: fresh, seen: except(voters(3, "a", "c"), func(p *bootstrap.Peer) { p.Worker = true }), want: fresh},
		"joiners do not count":  {p: fresh, seen: except(voters(3, "a", "c"), func(p *bootstrap.Peer) { p.Expect = 0 }), want: fresh},
		"others' N":             {p: fresh, seen: except(voters(3, "a", "c"), func(p *bootstrap.Peer) { p.Expect = 5 }), want: fresh},
		"a group is there":      {p: fresh, seen: except(voters(3, "a", "c", "d"), func(p *bootstrap.Peer) { p.Group = "g" }), want: fresh},
		"a log is there":        {p: holder, seen: except(voters(3, "a", "d"), func(p *bootstrap.Peer) { p.HasLog, p.Alive = true, false }), want: holder},
		"bound, offers again":   {p: bound, seen: nil, want: bound, verb: bootstrap.Promise, off: again},
		"bound stays bound":     {p: bound, seen: voters(3, "0", "a", "c"), want: bound, verb: bootstrap.Promise, off: again},
		"holder waits":          {p: holder, seen: voters(3, "c", "d"), want: holder},
		"holder sees a lower": {
			p: holder, seen: voters(3, "a"),
			want: bootstrap.Promises{ID: "b", Serial: 2, Returned: held{"b": 2, "c": 7, "d": 3}},
		},
		"lower with another N is none": {p: holder, seen: voters(5, "a"), want: holder},
		"holder has N": {
			p: bootstrap.Promises{ID: "b", To: "b", Serial: 2, Held: held{"b": 2, "e": 9, "c": 7, "d": 4}}, seen: nil,
			want: bootstrap.Promises{ID: "b", To: "b", Serial: 2, Held: held{"b": 2, "e": 9, "c": 7, "d": 4}, Founding: []string{"b", "c", "d"}},
			verb: bootstrap.Found, set: []string{"b", "c", "d"},
		},
		"N without its own": {
			p: bootstrap.Promises{ID: "b", To: "a", Serial: 4, Held: held{"c": 1, "d": 1, "e": 1}}, seen: nil,
			want: bootstrap.Promises{ID: "b", To: "a", Serial: 4, Held: held{"c": 1, "d": 1, "e": 1}}, verb: bootstrap.Promise, off: again,
		},
		"founder after a crash":       {p: founder, seen: voters(3, "a"), want: founder, verb: bootstrap.Found, set: []string{"b", "c", "d"}},
		"founder that sees a group":   {p: founder, seen: except(voters(3, "x"), func(p *bootstrap.Peer) { p.Group = "g" }), want: founder},
		"itself among the seen, once": {p: fresh, seen: voters(3, "b", "b", "a"), want: fresh},
	} {
		t.Run(name, func(t *testing.T) {
			got, act := c.p.Step(3, c.seen)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("promises: %s", diff)
			}
			want := bootstrap.Action{Verb: c.verb, Offer: c.off, Set: c.set, Seen: act.Seen, Disagree: act.Disagree, Group: act.Group}
			if diff := cmp.Diff(want, act); diff != "" {
				t.Errorf("action: %s", diff)
			}
		})
	}
}

func TestExpectOneWorksAtOnce(t *testing.T) {
	p, act := bootstrap.Promises{ID: "b"}.Step(1, nil)
	if act.Verb != bootstrap.Found || !cmp.Equal(act.Set, []string{"b"}) || !cmp.Equal(p.Founding, act.Set) {
		t.Errorf("got %+v, %+v", p, act)
	}
}

func TestReceive(t *testing.T) {
	holder := bootstrap.Promises{ID: "b", To: "b", Serial: 2, Held: held{"b": 2, "c": 7}, Returned: held{"d": 3}}
	founder := holder
	founder.Founding = []string{"b", "c"}
	offer := func(from string, serial uint64) bootstrap.Offer {
		return bootstrap.Offer{From: from, To: "b", Serial: serial, Expect: 3}
	}
	with := func(h, r held) bootstrap.Promises {
		p := holder
		p.Held, p.Returned = h, r
		return p
	}
	other := offer("e", 1)
	other.Expect = 5

	for name, c := range map[string]struct {
		p    bootstrap.Promises
		o    bootstrap.Offer
		seen []bootstrap.Peer
		want bootstrap.Promises
		ans  bootstrap.State
		err  error
	}{
		"a new one":              {p: holder, o: offer("e", 1), want: with(held{"b": 2, "c": 7, "e": 1}, held{"d": 3}), ans: bootstrap.Held},
		"again":                  {p: holder, o: offer("c", 7), want: holder, ans: bootstrap.Held},
		"one handed back":        {p: holder, o: offer("d", 3), want: holder, ans: bootstrap.Returned},
		"one from before that":   {p: holder, o: offer("d", 2), want: holder, ans: bootstrap.Returned},
		"anew after that":        {p: holder, o: offer("d", 4), want: with(held{"b": 2, "c": 7, "d": 4}, held{"d": 3}), ans: bootstrap.Held},
		"while a lower is seen":  {p: holder, o: offer("e", 1), seen: voters(3, "a"), want: with(held{"b": 2, "c": 7}, held{"d": 3, "e": 1}), ans: bootstrap.Returned},
		"from who expects more":  {p: holder, o: other, want: with(held{"b": 2, "c": 7}, held{"d": 3, "e": 1}), ans: bootstrap.Returned},
		"after the decision":     {p: founder, o: offer("e", 1), seen: voters(3, "a"), want: founder, ans: bootstrap.Founded},
		"member after decision":  {p: founder, o: offer("c", 7), seen: voters(3, "a"), want: founder, ans: bootstrap.Held},
		"for somebody else":      {p: holder, o: bootstrap.Offer{From: "e", To: "x", Serial: 1, Expect: 3}, want: holder, err: bootstrap.ErrNotMine},
		"from itself":            {p: holder, o: offer("b", 1), want: holder, err: bootstrap.ErrUnfit},
		"without a serial":       {p: holder, o: offer("e", 0), want: holder, err: bootstrap.ErrUnfit},
		"while a group is there": {p: holder, o: offer("e", 1), seen: except(voters(3, "a", "z"), func(p *bootstrap.Peer) { p.Group = "g" }), want: with(held{"b": 2, "c": 7, "e": 1}, held{"d": 3}), ans: bootstrap.Held},
	} {
		t.Run(name, func(t *testing.T) {
			got, answer, err := c.p.Receive(c.o, 3, c.seen)
			if !errors.Is(err, c.err) {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if answer.State != c.ans {
				t.Errorf("answered %q", answer.State)
			}
		})
	}
}

func TestReceiveIsBounded(t *testing.T) {
	p := bootstrap.Promises{ID: "b"}
	for i := range 256 {
		var err error
		if p, _, err = p.Receive(bootstrap.Offer{From: fmt.Sprint("peer", i), To: "b", Serial: 1, Expect: 3}, 3, nil); err != nil {
			t.Fatal(err)
		}
	}
	late := bootstrap.Offer{From: "late", To: "b", Serial: 1, Expect: 3}
	if _, _, err := p.Receive(late, 3, nil); !errors.Is(err, bootstrap.ErrCrowded) {
		t.Errorf("got %v", err)
	}
	if _, _, err := p.Receive(bootstrap.Offer{From: "peer7", To: "b", Serial: 2, Expect: 3}, 3, nil); err != nil {
		t.Errorf("refused a known peer: %v", err)
	}
}

func TestHeed(t *testing.T) {
	p := bootstrap.Promises{ID: "b", To: "a", Serial: 4}
	free := bootstrap.Promises{ID: "b", Serial: 4}
	for name, c := range map[string]struct {
		to     string
		serial uint64
		state  bootstrap.State
		want   bootstrap.Promises
	}{
		"returned":             {"a", 4, bootstrap.Returned, free},
		"held":                 {"a", 4, bootstrap.Held, p},
		"founded":              {"a", 4, bootstrap.Founded, p},
		"an unknown word":      {"a", 4, "dunno", p},
		"an earlier one":       {"a", 3, bootstrap.Returned, p},
		"one to somebody else": {"0", 4, bootstrap.Returned, p},
	} {
		got := p.Heed(bootstrap.Offer{From: "b", To: c.to, Serial: c.serial, Expect: 3}, bootstrap.Answer{State: c.state})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
