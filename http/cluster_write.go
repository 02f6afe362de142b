package httpd

import (
	"net/http"

	"github.com/musterhq/muster/fsm"
)

func (s *Server) patchCluster(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	cas, err := parseCAS(r.URL.Query())
	if err != nil {
		return err
	}
	patch, err := readPatch(w, r, ClusterSettings{})
	if err != nil {
		return err
	}
	ack, err := s.changeClusters(r, func(g glance) (change, error) {
		c := g.Cluster(name)
		if c == nil {
			return change{}, noSuchCluster(name)
		}
		after, err := s.patchedCluster(g, c, patch)
		if err != nil {
			return change{}, err
		}
		if after.Settable.Equal(c.Settings) && sameRefresh(after.Refresh, c.Refresh) {
			return change{at: c.Index}, nil
		}
		if err := casFails(cas, c.Index); err != nil {
			return change{}, err
		}
		d := g.draft(c)
		before := &fsm.SettingsPart{Settable: c.Settings, Refresh: patchOf(c.Refresh)}
		if err := d.tell(fsm.Fact{Type: fsm.ClusterSettingsChanged, Before: before, After: after}); err != nil {
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

// patchedCluster is a cluster's settings with a patch over them, checked as they will be in force.
func (s *Server) patchedCluster(g glance, c *fsm.Cluster, patch []byte) (*fsm.SettingsPart, error) {
	next, err := patched(clusterSettings(c), patch)
	if err != nil {
		return nil, err
	}
	set := fsm.Settable{Group: next.Group, Labels: next.Labels, Vars: next.Vars, Guards: next.Guards}
	if err := set.Validate(); err != nil {
		return nil, err
	}
	if !sameRefresh(patchOf(next.Refresh), c.Refresh) {
		moved := *c
		moved.Refresh = next.Refresh
		spec := g.RefreshOf(&moved)
		if err := s.Rules.ValidateRefresh(&spec); err != nil {
			return nil, err
		}
	}
	return &fsm.SettingsPart{Settable: set, Refresh: patchOf(next.Refresh)}, nil
}

// sameRefresh compares what patches set, not where they keep it.
func sameRefresh(a *fsm.RefreshPatch, b fsm.RefreshPatch) bool {
	if a == nil {
		a = &fsm.RefreshPatch{}
	}
	return same(a.Prober, b.Prober) && same(a.Config, b.Config) && same(a.Interval, b.Interval) &&
		same(a.Timeout, b.Timeout) && same(a.ConnectTimeout, b.ConnectTimeout) && same(a.DownAfter, b.DownAfter) &&
		same(a.RetryAfter, b.RetryAfter) && same(a.LagLimit, b.LagLimit) && same(a.Identity, b.Identity) &&
		same(a.On, b.On) && same(a.Enabled, b.Enabled)
}

func same[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// deleteCluster takes away a cluster that an operator's settings kept after its last node. One that is gone is done.
func (s *Server) deleteCluster(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	cas, err := parseCAS(r.URL.Query())
	if err != nil {
		return err
	}
	ack, err := s.changeClusters(r, func(g glance) (change, error) {
		c := g.Cluster(name)
		if c == nil {
			return change{at: g.Wait(fsm.SetClusters).Index}, nil
		}
		for range g.Nodes(c.ID) {
			return change{}, fsm.Errorf(fsm.CodeConflict, "cluster %q has nodes; only an empty one can be deleted", name)
		}
		if err := casFails(cas, c.Index); err != nil {
			return change{}, err
		}
		return change{changes: []fsm.Change{{Cluster: c.ID, Base: c.Index, Facts: []fsm.Fact{removal(c)}}}}, nil
	})
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, ack)
}

func (s *Server) refreshCluster(w http.ResponseWriter, r *http.Request) error {
	g, err := s.look(r.Context())
	if err != nil {
		return err
	}
	c := g.Cluster(r.PathValue("name"))
	if c == nil {
		return noSuchCluster(r.PathValue("name"))
	}
	return s.askNow(w, r, g, fsm.Subject{Kind: fsm.KindRefresh, ID: c.ID})
}

// liveCluster shows what the nodes say now beside what is agreed of them.
func (s *Server) liveCluster(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	g, err := s.look(r.Context())
	if err != nil {
		return err
	}
	if g.Cluster(name) == nil {
		return noSuchCluster(name)
	}
	reports, err := s.Work.Live(r.Context(), name)
	if err != nil {
		return err
	}
	if g, err = s.look(r.Context()); err != nil {
		return err
	}
	out := make([]LiveNode, 0, len(reports))
	c := g.Cluster(name)
	for _, report := range reports {
		row := LiveNode{Node: report.Node, Says: answerOf(report)}
		if c != nil {
			if n := g.Node(c.ID, report.Node); n != nil {
				view := g.nodesOf(c).row(n)
				row.View = &view
			}
		}
		out = append(out, row)
	}
	return s.reply(w, r, http.StatusOK, out)
}
