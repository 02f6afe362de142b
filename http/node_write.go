package httpd

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/musterhq/muster/fsm"
)

func (s *Server) patchNode(w http.ResponseWriter, r *http.Request) error {
	name, id := r.PathValue("name"), r.PathValue("id")
	cas, err := parseCAS(r.URL.Query())
	if err != nil {
		return err
	}
	patch, err := readPatch(w, r, NodeSettings{})
	if err != nil {
		return err
	}
	ack, err := s.changeClusters(r, func(g glance) (change, error) {
		c := g.Cluster(name)
		if c == nil {
			return change{}, noSuchCluster(name)
		}
		n := g.Node(c.ID, id)
		if n == nil {
			return change{}, noSuchNode(name, id)
		}
		next, err := patched(nodeSettings(n), patch)
		if err != nil {
			return change{}, err
		}
		after := fsm.Settable{Group: next.Group, Labels: next.Labels, Vars: next.Vars}
		if err := after.Validate(); err != nil {
			return change{}, err
		}
		if after.Equal(n.Settings) {
			return change{at: n.Index}, nil
		}
		if err := casFails(cas, n.Index); err != nil {
			return change{}, err
		}
		d := g.draft(c)
		err = d.tell(fsm.Fact{
			Type: fsm.NodeSettingsChanged, Node: id,
			Before: &fsm.SettingsPart{Settable: n.Settings}, After: &fsm.SettingsPart{Settable: after},
		})
		if err != nil {
			return change{}, err
		}
		done, err := d.finish(g.now, false)
		return change{changes: []fsm.Change{done}}, err
	})
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, ack)
}

// maxTransition is how many nodes one transition may name: one entry of the log must hold it.
const maxTransition = 500

func (s *Server) transition(w http.ResponseWriter, r *http.Request) error {
	var body Transition
	if err := readBody(w, r, &body); err != nil {
		return err
	}
	refs, err := body.refs()
	if err != nil {
		return err
	}
	var moved []string
	ack, err := s.changeClusters(r, func(g glance) (change, error) {
		c, names, err := body.compute(g, refs)
		moved = names
		return c, err
	})
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, Transitioned{Index: ack.Index, Moved: told(moved)})
}

// refs is the nodes meant, by cluster and id, each once.
func (t *Transition) refs() (map[string][]string, error) {
	switch t.To {
	case fsm.Commissioned, fsm.Maintenance, fsm.Decommissioned, fsm.Forgotten:
	default:
		return nil, fsm.Invalid("to", "%q is none of commissioned, maintenance, decommissioned, forgotten", t.To)
	}
	switch {
	case len(t.Nodes) == 0:
		return nil, fsm.Invalid("nodes", "is empty; name nodes as cluster/id")
	case len(t.Nodes) > maxTransition:
		return nil, fsm.Errorf(fsm.CodeTooLarge, "%d nodes are more than the %d that one transition may move; send several",
			len(t.Nodes), maxTransition)
	}
	refs := map[string][]string{}
	for _, name := range t.Nodes {
		ref, err := fsm.ParseNodeRef("nodes", name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(refs[ref.Cluster], ref.Node) {
			refs[ref.Cluster] = append(refs[ref.Cluster], ref.Node)
		}
	}
	return refs, nil
}

// compute is the change that moves all nodes, with the names of those it moves; or one refusal that names every node that
// forbids it, and why. A node that is gone was forgotten already.
func (t *Transition) compute(g glance, refs map[string][]string) (change, []string, error) {
	out := change{at: g.Wait(fsm.SetClusters).Index}
	var moved []string
	refused, absent := map[string]string{}, 0
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		c := g.Cluster(name)
		var d *draft
		if c != nil {
			d = g.draft(c)
		}
		for _, id := range refs[name] {
			ref := fsm.NodeRef{Cluster: name, Node: id}.String()
			switch done, err := t.move(d, id); {
			case errors.Is(err, fsm.ErrNotFound):
				refused[ref] = err.Error()
				absent++
			case errors.Is(err, fsm.ErrConflict):
				refused[ref] = err.Error()
			case err != nil:
				return out, nil, err
			case done:
				moved = append(moved, ref)
			}
		}
		if d == nil || len(d.Facts) == 0 {
			continue
		}
		if !t.Force {
			for id, why := range g.Guarded(g.View(c.ID), d.view, nodesOf(d.Facts)) {
				refused[fsm.NodeRef{Cluster: name, Node: id}.String()] = why
			}
		}
		one, err := d.finish(g.now, t.To == fsm.Forgotten)
		if err != nil {
			return out, nil, err
		}
		out.changes = append(out.changes, one)
	}
	if len(refused) == 0 {
		return out, moved, nil
	}
	code, first := fsm.CodeConflict, sortedKeys(refused)[0]
	if absent == len(refused) {
		code = fsm.CodeNotFound
	}
	since := ""
	if len(refused) > 1 {
		since = fmt.Sprintf(", since %d forbid it", len(refused))
	}
	err := fsm.Errorf(code, "no node was moved%s: %s %s", since, first, refused[first])
	err.Fields = refused
	return out, nil, err
}

func nodesOf(facts []fsm.Fact) []string {
	out := make([]string, 0, len(facts))
	for i := range facts {
		out = append(out, facts[i].Node)
	}
	return out
}

// move adds the fact that moves one node; false when it is there already.
func (t *Transition) move(d *draft, id string) (bool, error) {
	var n *fsm.Node
	if d != nil {
		n = d.view.Nodes[id]
	}
	if n == nil {
		if t.To == fsm.Forgotten {
			return false, nil
		}
		return false, fsm.Errorf(fsm.CodeNotFound, "is not there")
	}
	f, err := fsm.Transition(n, t.To, t.Force)
	if err != nil || f == nil {
		return false, err
	}
	return true, d.tell(*f)
}
