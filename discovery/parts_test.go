package discovery_test

import (
	"slices"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
)

// A run's replica may be behind what it has sent. It waits for that only where a later part is about the same cluster: for
// one that has more than a part takes, or that had moved.
func TestPartsWaitForTheirOwnClustersOnly(t *testing.T) {
	for _, c := range []struct {
		name    string
		records []fsm.Record
		moves   bool // an operator is there first, in the second part
		waits   bool
	}{
		{name: "all fit", records: listed(600, 5)},
		{name: "one is large", records: slices.Concat(listed(1, 2000), listed(300, 5)[5:]), waits: true},
		{name: "some moved", records: listed(600, 5), moves: true, waits: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			atDesk(t, nil, func(t *testing.T, d *desk) {
				d.source.records, d.lags = c.records, true
				d.before = func(sent fsm.Command) {
					part, ok := sent.(*fsm.RunComplete)
					if ok && part.Part > 100 {
						d.offline = fsm.Errorf(fsm.CodeUnavailable, "there is no end to it")
					}
					if !ok || part.Part != 1 || !c.moves {
						return
					}
					d.applyLocked(&fsm.ClusterChange{Changes: []fsm.Change{{Name: part.Enrolments[0].Cluster, Facts: []fsm.Fact{
						{Type: fsm.ClusterDiscovered, After: &fsm.ClusterPart{}},
						{
							Type: fsm.ClusterSettingsChanged, Before: &fsm.SettingsPart{},
							After: &fsm.SettingsPart{Settable: fsm.Settable{Group: "mine"}},
						},
					}}}})
				}
				d.run(fsm.WhyDue)
				sent := d.commands(time.Second)
				if r := d.state.Read(); nodesIn(r) != len(c.records) || r.Claim(d.subject()) != nil {
					t.Errorf("%d of %d nodes, claim %+v", nodesIn(r), len(c.records), r.Claim(d.subject()))
				}
				if again := sentAgain(sent); len(sent) < 3 || d.waits != again || c.waits != (again > 0) {
					t.Errorf("%d waits in %d parts, %d of them with clusters that come again", d.waits, len(sent), again)
				}
			})
		})
	}
}

// sentAgain counts the parts that hold a cluster which a later one holds, too.
func sentAgain(sent []fsm.Command) (n int) {
	later := map[string]bool{}
	for _, c := range slices.Backward(sent) {
		again := false
		for _, e := range c.(*fsm.RunComplete).Enrolments {
			again = again || later[e.Cluster]
			later[e.Cluster] = true
		}
		if again {
			n++
		}
	}
	return n
}

// The hash of a read moves with any field of any record.
func TestHashTellsReadsApart(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		hash := func(change func(r *fsm.Record)) string {
			t.Helper()
			d.source.records = listed(2, 2)
			change(&d.source.records[1])
			d.run(fsm.WhyDue)
			d.commands(time.Second)
			return d.Read().Schedule(d.subject()).Last.Hash
		}
		seen := map[string]string{}
		for name, change := range map[string]func(r *fsm.Record){
			"none":       func(*fsm.Record) {},
			"cluster":    func(r *fsm.Record) { r.Cluster += "x" },
			"node":       func(r *fsm.Record) { r.Node += "x" },
			"address":    func(r *fsm.Record) { r.Address = "10.0.0.9" },
			"port":       func(r *fsm.Record) { r.Port = 9 },
			"service":    func(r *fsm.Record) { r.Service = "x" },
			"datacenter": func(r *fsm.Record) { r.Datacenter = "x" },
			"source":     func(r *fsm.Record) { r.Source = "x" },
			"probe":      func(r *fsm.Record) { r.Probe = "x" },
			"tags":       func(r *fsm.Record) { r.Tags = []string{"x"} },
			"two tags":   func(r *fsm.Record) { r.Tags = []string{"x", ""} },
			"meta":       func(r *fsm.Record) { r.Meta = map[string]string{"a": "b"} },
			"labels":     func(r *fsm.Record) { r.Labels = map[string]string{"a": "b"} },
		} {
			h := hash(change)
			if other, ok := seen[h]; ok || h == "" {
				t.Errorf("%s and %s have the same hash %q", name, other, h)
			}
			seen[h] = name
		}
		if first, again := hash(func(*fsm.Record) {}), hash(func(*fsm.Record) {}); first != again {
			t.Errorf("one read has the hashes %s and %s", first, again)
		}
	})
}
