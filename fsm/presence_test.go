package fsm_test

import (
	"testing"

	"github.com/musterhq/muster/fsm"
)

// visit is one reading in a story: when, by which discovery, which nodes, and the facts it is to make. "zero" is a reading
// that must write nothing at all; "" one that makes no fact.
type visit struct {
	second int64
	by     uint64
	nodes  string
	want   string
	how    func(*fsm.Reading)
	before func(*register)
}

func nudged(r *fsm.Reading) { r.Full = false }
func onHold(r *fsm.Reading) { r.Hold = true }

// enable switches a discovery of a register on or off.
func enable(id uint64, on bool) func(*register) {
	return func(w *register) {
		d := *w.Discoveries[id]
		d.Spec.Enabled = on
		w.Discoveries[id] = &d
	}
}

func lifecycle(node string, to fsm.Lifecycle) func(*register) {
	return func(w *register) { w.set(node, func(n *fsm.Node) { n.Lifecycle = to }) }
}

// presenceStories are told with two discoveries of default settings: every minute, missing after 3, removed after 15. Every
// one begins with d1 listing z, so that the cluster stays.
var presenceStories = map[string][]visit{
	"gone in steps": {
		{second: 0, by: 1, nodes: "a z", want: "node.discovered a"},
		{second: 60, by: 1, nodes: "z", want: ""},
		{second: 120, by: 1, nodes: "z", want: ""},
		{second: 180, by: 1, nodes: "z", want: ""},
		{second: 239, by: 1, nodes: "z", want: "zero"},
		{second: 240, by: 1, nodes: "z", want: "node.missing a"},
		{second: 300, by: 1, nodes: "z", want: "zero"},
		{second: 959, by: 1, nodes: "z", want: "zero"},
		{second: 960, by: 1, nodes: "z", want: "node.removed a"},
		{second: 1020, by: 1, nodes: "z", want: "zero"},
		{second: 1080, by: 1, nodes: "a z", want: "node.discovered a"},
	},
	"back before it is missing": {
		{second: 0, by: 1, nodes: "a z", want: "node.discovered a"},
		{second: 60, by: 1, nodes: "z", want: ""},
		{second: 120, by: 1, nodes: "a z", want: ""},
		{second: 180, by: 1, nodes: "z", want: ""},
		{second: 240, by: 1, nodes: "z", want: ""},
		{second: 300, by: 1, nodes: "z", want: ""},
		{second: 360, by: 1, nodes: "z", want: "node.missing a"},
	},
	"back after it was missing": {
		{second: 0, by: 1, nodes: "a z", want: "node.discovered a"},
		{second: 60, by: 1, nodes: "z", want: ""},
		{second: 120, by: 1, nodes: "z", want: ""},
		{second: 240, by: 1, nodes: "z", want: "node.missing a"},
		{second: 300, by: 1, nodes: "a:7000 z", want: "node.changed a, node.returned a"},
		{second: 360, by: 1, nodes: "a:7000 z", want: "zero"},
	},
	"two reads are enough when close": {
		{second: 0, by: 2, nodes: "a", want: "node.discovered a"},
		{second: 60, by: 2, nodes: "", want: "", before: func(w *register) {
			w.Discoveries[2].Spec.MissingAfter = fsm.Minute
		}},
		{second: 180, by: 2, nodes: "", want: "node.missing a"},
	},
	"three reads across a gap": {
		{second: 0, by: 1, nodes: "a z", want: "node.discovered a"},
		{second: 60, by: 1, nodes: "z", want: ""},
		{second: 7200, by: 1, nodes: "z", want: ""},
		{second: 7201, by: 1, nodes: "z", want: "node.missing a, node.removed a"},
	},
	"a late third read": {
		{second: 0, by: 1, nodes: "a z", want: "node.discovered a"},
		{second: 60, by: 1, nodes: "z", want: ""},
		{second: 120, by: 1, nodes: "z", want: ""},
		{second: 600, by: 1, nodes: "z", want: "node.missing a"},
	},
	"one read late is not enough": {
		{second: 0, by: 1, nodes: "a z", want: "node.discovered a"},
		{second: 7200, by: 1, nodes: "z", want: ""},
		{second: 7260, by: 1, nodes: "z", want: ""},
		{second: 7379, by: 1, nodes: "z", want: ""},
		{second: 7380, by: 1, nodes: "z", want: "node.missing a"},
	},
	"a nudge counts no absence": {
		{second: 0, by: 1, nodes: "a z", want: "node.discovered a"},
		{second: 60, by: 1, nodes: "", want: "zero", how: nudged},
		{second: 3600, by: 1, nodes: "", want: "zero", how: nudged},
		{second: 7200, by: 1, nodes: "b:7000", want: "node.discovered b", how: nudged},
		{second: 7260, by: 1, nodes: "b", want: "node.changed b", how: nudged},
	},
	"a nudge brings back": {
		{second: 0, by: 1, nodes: "a z", want: "node.discovered a"},
		{second: 60, by: 1, nodes: "z", want: ""},
		{second: 120, by: 1, nodes: "z", want: ""},
		{second: 240, by: 1, nodes: "z", want: "node.missing a"},
		{second: 241, by: 1, nodes: "a", want: "node.returned a", how: nudged},
	},
	"a held run counts no absence": {
		{second: 0, by: 1, nodes: "a b z", want: "node.discovered a, node.discovered b"},
		{second: 60, by: 1, nodes: "z", want: ""},
		{second: 120, by: 1, nodes: "z", want: "zero", how: onHold},
		{second: 7200, by: 1, nodes: "a:7000 c z", want: "node.changed a, node.discovered c", how: onHold},
		{second: 7260, by: 1, nodes: "a:7000 c z", want: ""}, // the second read without b, after a long gap
		{second: 7320, by: 1, nodes: "a:7000 c z", want: "node.missing b, node.removed b"},
	},
	"every source must miss it": {
		{second: 0, by: 1, nodes: "a z", want: "node.discovered a"},
		{second: 0, by: 2, nodes: "a", want: "node.changed a"},
		{second: 60, by: 1, nodes: "z", want: "node.changed a"}, // d2's address is in force
		{second: 120, by: 1, nodes: "z", want: ""},
		{second: 240, by: 1, nodes: "z", want: ""},
		{second: 300, by: 2, nodes: "", want: "node.changed a"},
		{second: 360, by: 2, nodes: "", want: ""},
		{second: 480, by: 2, nodes: "", want: "node.missing a"},
		{second: 959, by: 1, nodes: "z", want: "zero"},
		{second: 960, by: 1, nodes: "z", want: "node.changed a"}, // d1 gives up its listing
		{second: 1199, by: 2, nodes: "", want: "zero"},
		{second: 1200, by: 2, nodes: "", want: "node.removed a"},
	},
	"moved to another source": {
		{second: 0, by: 1, nodes: "a z", want: "node.discovered a"},
		{second: 60, by: 2, nodes: "a", want: "node.changed a"},
		{second: 60, by: 1, nodes: "z", want: "node.changed a"},
		{second: 120, by: 1, nodes: "z", want: ""},
		{second: 960, by: 1, nodes: "z", want: "node.changed a"},
		{second: 9600, by: 1, nodes: "z", want: "zero"},
		{second: 9600, by: 2, nodes: "a", want: "zero"},
	},
	"a disabled source does not vote, but nothing goes without it": {
		{second: 0, by: 1, nodes: "a z", want: "node.discovered a"},
		{second: 0, by: 2, nodes: "a", want: "node.changed a"},
		{second: 60, by: 1, nodes: "z", want: "node.changed a", before: enable(2, false)},
		{second: 120, by: 1, nodes: "z", want: ""},
		{second: 240, by: 1, nodes: "z", want: "node.missing a"},
		{second: 960, by: 1, nodes: "z", want: "node.changed a"},
		{second: 9600, by: 1, nodes: "z", want: "zero"},
		{second: 9660, by: 2, nodes: "a", want: "node.returned a", before: enable(2, true)},
	},
	"a deleted source does not vote": {
		{second: 0, by: 1, nodes: "a z", want: "node.discovered a"},
		{second: 0, by: 2, nodes: "a", want: "node.changed a"},
		{second: 60, by: 1, nodes: "z", want: "node.changed a", before: func(w *register) { w.Discoveries[2].Deleting = true }},
		{second: 120, by: 1, nodes: "z", want: ""},
		{second: 240, by: 1, nodes: "z", want: "node.missing a"},
	},
	"an operator's word stays until it is taken back": {
		{second: 0, by: 1, nodes: "a z", want: "node.discovered a"},
		{second: 60, by: 1, nodes: "z", want: "", before: lifecycle("a", fsm.Maintenance)},
		{second: 120, by: 1, nodes: "z", want: ""},
		{second: 240, by: 1, nodes: "z", want: "node.missing a"},
		{second: 96000, by: 1, nodes: "z", want: "zero"},
		{second: 96060, by: 1, nodes: "z", want: "node.removed a", before: lifecycle("a", fsm.Commissioned)},
	},
	"a tombstone comes and goes": {
		{second: 0, by: 1, nodes: "a z", want: "node.discovered a"},
		{second: 60, by: 1, nodes: "a:7000 z", want: "node.changed a", before: lifecycle("a", fsm.Decommissioned)},
		{second: 120, by: 1, nodes: "z", want: ""},
		{second: 180, by: 1, nodes: "z", want: ""},
		{second: 300, by: 1, nodes: "z", want: "node.missing a"},
		{second: 9600, by: 1, nodes: "z", want: "zero"},
		{second: 9660, by: 1, nodes: "a:7000 z", want: "node.returned a"},
	},
	"forgotten though listed": {
		{second: 0, by: 1, nodes: "a z", want: "node.discovered a"},
		{second: 60, by: 1, nodes: "z", want: "", before: func(w *register) {
			delete(w.View.Nodes, "a")
		}},
		{second: 120, by: 1, nodes: "a z", want: "node.discovered a"},
	},
	"removed as soon as missing": {
		{second: 0, by: 2, nodes: "a", want: "node.discovered a", before: func(w *register) {
			w.Discoveries[2].Spec.MissingAfter, w.Discoveries[2].Spec.RemoveAfter = 0, 0
		}},
		{second: 60, by: 2, nodes: "", want: ""},
		{second: 61, by: 2, nodes: "", want: "node.missing a, node.removed a"},
	},
	"the last node takes its cluster along": {
		{second: 60, by: 1, nodes: "", want: ""},
		{second: 120, by: 1, nodes: "", want: ""},
		{second: 959, by: 1, nodes: "", want: "node.missing z"},
		{second: 960, by: 1, nodes: "", want: "node.removed z, cluster.removed"},
		{second: 1020, by: 1, nodes: "a", want: "cluster.discovered, node.discovered a"},
	},
	"a cluster with an operator's word outlives its nodes": {
		{second: 60, by: 1, nodes: "", want: "", before: func(w *register) {
			c := *w.View.Cluster
			c.Settings.Labels = map[string]string{"team": "blue"}
			w.View.Cluster = &c
		}},
		{second: 120, by: 1, nodes: "", want: ""},
		{second: 1200, by: 1, nodes: "", want: "node.missing z, node.removed z"},
		{second: 1260, by: 1, nodes: "", want: "zero"},
		{second: 1320, by: 1, nodes: "a", want: "node.discovered a"},
	},
}

func TestPresence(t *testing.T) {
	for name, visits := range presenceStories {
		t.Run(name, func(t *testing.T) {
			w := newRegister(t, setting(nil), setting(nil))
			w.take(reading(1, 0, "z"))
			for _, v := range visits {
				if v.before != nil {
					v.before(w)
				}
				r := reading(v.by, v.second, v.nodes)
				if v.how != nil {
					v.how(&r)
				}
				e := w.take(r)
				got := factsOf(e)
				if e.IsZero() {
					got = "zero"
				}
				if got != v.want {
					t.Fatalf("at %d by d%d reading %q: %q\nwant %q", v.second, v.by, v.nodes, got, v.want)
				}
			}
		})
	}
}
