package world

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
)

// orderEvery is after how many entries it is tried whether the order of two runs matters.
const orderEvery = 128

// orders checks that two sources that are read at one time lead to the same membership in either order (I24). It tries that on
// copies of the state, with the runner itself.
func (k *checker) orders() {
	r := k.state.Read()
	var by []*fsm.Discovery
	for d := range r.Discoveries("") {
		if d.Spec.Enabled && !d.Deleting {
			by = append(by, d)
		}
	}
	if len(by) < 2 {
		return
	}
	k.w.rng.Shuffle(len(by), func(i, j int) { by[i], by[j] = by[j], by[i] })
	lists := map[string][]fsm.Record{}
	for _, d := range by[:2] {
		i := slices.IndexFunc(k.w.sources, func(s *source) bool { return s.name == d.Name })
		lists[d.Name] = k.w.sources[i].listed(k.w.sources[i].lists, 0)
	}
	raw := k.w.snapshot(r)
	one, two := k.w.copyOf(raw, lists), k.w.copyOf(raw, lists)
	for range 3 { // so that what one of them decides on the other's absences comes about in either
		one.run(by[0].Name)
		one.run(by[1].Name)
		two.run(by[1].Name)
		two.run(by[0].Name)
		one.passes()
		two.passes()
	}
	if is, want := two.members(), one.members(); is != want {
		k.w.fail("I24", "%s before %s gives\n%s\nand after it\n%s", by[0].Name, by[1].Name, want, is)
	}
	k.w.count.add("sources in either order")
}

// replica is a copy of the state that applies what is proposed to it at once.
type replica struct {
	w      *World
	state  *fsm.State
	now    fsm.Time
	runner *discovery.Runner
}

func (w *World) copyOf(raw []byte, lists map[string][]fsm.Record) *replica {
	x := &replica{w: w, state: w.stateOf(raw)}
	x.now = x.state.Read().Meta().Time
	var err error
	x.runner, err = discovery.NewRunner(discovery.RunnerConfig{
		Peer: "x", Claims: noClaims{}, Log: x, Replica: x, Registerer: unmetered{}, Now: w.wall,
		Backends: discovery.Backends{"model": func(config fsm.JSON, _ discovery.Env) (discovery.Backend, error) {
			for name, records := range lists {
				if strings.Contains(string(config), fmt.Sprintf("%q", name)) {
					return listing(records), nil
				}
			}
			return nil, errSource
		}},
	})
	if err != nil {
		panic(err)
	}
	var open fsm.ClaimAbandon
	for c := range x.Read().Claims() {
		open.Claims = append(open.Claims, c.Ticket())
	}
	x.apply(&open)
	if x.Read().Settings().Pause != nil {
		x.apply(&fsm.ScheduleResume{})
	}
	return x
}

// listing is a source that lists the same always.
type listing []fsm.Record

// Read is discovery.Backend's.
func (l listing) Read(context.Context, discovery.Want) ([]fsm.Record, error) {
	return slices.Clone(l), nil
}

// run does a full run of a discovery.
func (x *replica) run(name string) {
	res := x.apply(&fsm.ClaimGrant{
		Kind: fsm.KindRun, Peer: "x", TTL: 75 * fsm.Second, Reason: fsm.WhyDue, IDs: []uint64{x.Read().Discovery(name).ID},
	})
	x.runner.Do(deadline{&task{w: x.w}, forever}, res.Claim)
}

// passes lets time pass, so that absences last.
func (x *replica) passes() { x.now = x.now.Add(5 * fsm.Second) }

func (x *replica) apply(c fsm.Command) fsm.Result {
	a, err := x.state.Apply(x.Read().Meta().Index+1, fsm.Entry(x.now, fsm.Frame(c)))
	if err != nil {
		x.w.fail("I19", "a copy of the state stops: %v", err)
	}
	return a.Results[0]
}

// Propose is discovery.Log's.
func (x *replica) Propose(_ context.Context, c fsm.Command) (fsm.Result, error) {
	return x.apply(c), nil
}

// Read is discovery.Replica's.
func (x *replica) Read() *fsm.Reader { return x.state.Read() }

// WaitIndex is discovery.Replica's.
func (x *replica) WaitIndex(context.Context, uint64) error { return nil }

// members is which nodes there are, and who lists them, in words. It leaves out their lifecycle: who lists a node first says
// whether it is let in, and what an operator may have said since is not taken back.
func (x *replica) members() string {
	var b strings.Builder
	r := x.Read()
	for c := range r.Clusters("") {
		for n := range r.Nodes(c.ID) {
			fmt.Fprintf(&b, "%s/%s %s %s", c.Name, n.ID, n.Presence, text(n.Endpoint))
			for l := range r.NodeListings(c.ID, n.ID) {
				fmt.Fprintf(&b, " %d:%d", l.Discovery, l.AbsentSince)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}
