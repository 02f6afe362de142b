package world

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
)

// source is a model of a place that lists nodes.
type source struct {
	w     *World
	name  string
	lists []fsm.NodeRef
	past  [][]fsm.NodeRef // what it listed before
	fault string          // one of the faults below, empty when it is well
}

// What a source does wrong. An error in any form removes nothing; what looks like a good answer counts as one.
const (
	faultError    = "source fails"
	faultTimeout  = "source times out"
	faultLeader   = "source without leader"
	faultEmpty    = "source empty"
	faultShrinks  = "source shrinks"
	faultPast     = "source goes back"
	faultLies     = "source lies"
	faultNonsense = "source lists nonsense"
)

var sourceFaults = []string{
	faultError, faultTimeout, faultLeader, faultEmpty, faultShrinks, faultPast, faultLies, faultNonsense,
}

// newSources makes them so that some nodes are listed by several and some by none yet.
func newSources(w *World) (out []*source) {
	for i := range 1 + w.rng.IntN(3) {
		s := &source{w: w, name: fmt.Sprintf("s%d", i)}
		for _, n := range w.fleet.nodes {
			if i == 0 && !w.chance(8) || w.chance(3) {
				s.lists = append(s.lists, n.ref)
			}
		}
		out = append(out, s)
	}
	return out
}

// move changes what the source lists.
func (s *source) move(lists []fsm.NodeRef) {
	s.past = append(s.past, s.lists)
	s.lists = lists
}

// read is one good or bad answer of a source to one run.
type read struct {
	failed   bool
	mayCount bool // its absences need not be held back
	lists    map[fsm.NodeRef]bool
}

// reads are those of one claim; nobody knows which of them is reported.
type reads []*read

// good are those that may change something.
func (r reads) good() (out reads) {
	for _, x := range r {
		if !x.failed {
			out = append(out, x)
		}
	}
	return out
}

// list says whether all of them list a node, and lacks whether one does not that counts what it does not list.
func (r reads) list(ref fsm.NodeRef) bool {
	return !slices.ContainsFunc(r, func(x *read) bool { return !x.lists[ref] })
}

func (r reads) lacks(ref fsm.NodeRef) bool {
	return slices.ContainsFunc(r, func(x *read) bool { return x.mayCount && !x.lists[ref] })
}

func (r reads) mayCount() bool {
	return slices.ContainsFunc(r, func(x *read) bool { return x.mayCount })
}

// backend is a peer's connection to the source that a config names.
func (p *peer) backend(config fsm.JSON, _ discovery.Env) (discovery.Backend, error) {
	var c struct{ Source string }
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(p.w.sources, func(s *source) bool { return s.name == c.Source })
	if i < 0 {
		return nil, fsm.Invalid("config.source", "%q is not there", c.Source)
	}
	return backend{p, p.w.sources[i]}, nil
}

type backend struct {
	p *peer
	s *source
}

// Read is discovery.Backend's.
func (b backend) Read(_ context.Context, want discovery.Want) ([]fsm.Record, error) {
	w, t := b.p.w, b.p.w.running
	takes := w.between(2*time.Millisecond, 200*time.Millisecond)
	if b.s.fault == faultTimeout {
		takes = 3 * time.Second
	}
	if !t.sleep(takes) {
		return nil, errDead
	}
	records, err := b.s.answer()
	if b.p.blind > w.now {
		err = errSource
	}
	if err != nil {
		records = nil
	}
	if !want.Full() {
		records = slices.DeleteFunc(records, func(r fsm.Record) bool { return !slices.Contains(want.Names, r.Cluster) })
	}
	w.step("read", b.p.name, uint64(len(records)))
	w.check.read(b.p, t.claim, records, err)
	return records, err
}

var errSource = errors.New("the source cannot be read")

// answer is what the source says.
func (s *source) answer() ([]fsm.Record, error) {
	lists, lie := s.lists, 0
	if s.fault != "" {
		s.w.count.add("fault")
		s.w.count.add("fault " + s.fault)
	}
	switch s.fault {
	case faultError, faultTimeout, faultLeader:
		return nil, fmt.Errorf("%w: %s", errSource, s.fault)
	case faultEmpty:
		lists = nil
	case faultShrinks:
		lists = lists[:len(lists)/3]
	case faultPast:
		if len(s.past) > 0 {
			lists = pick(s.w, s.past)
		}
	case faultLies:
		lie = 1
	}
	out := s.listed(lists, lie)
	if s.fault == faultNonsense && len(out) > 0 {
		out[len(out)-1].Port = -1 // one record that is none fails the whole read
	}
	return out, nil
}

// listed is the records of nodes, their ports off by a lie.
func (s *source) listed(lists []fsm.NodeRef, lie int) []fsm.Record {
	out := make([]fsm.Record, 0, len(lists))
	for _, ref := range lists {
		n := s.w.fleet.by[ref]
		out = append(out, fsm.Record{
			Cluster: ref.Cluster, Node: ref.Node, Address: "10.0.0.1", Port: n.port + lie, Service: ref.Cluster, Probe: n.probe,
			Labels: map[string]string{"source": s.name},
		})
	}
	return out
}
