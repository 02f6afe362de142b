package httpd

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/musterhq/muster/fsm"
)

// Where an effective value comes from, least first; a discovery is told with its name.
const (
	fromDefault = "default"
	fromGlobals = "globals"
	fromCluster = "cluster"
	fromNode    = "node"
)

// showEffective tells what holds for a cluster, or with ?node= for one of its nodes. Of a key set in several places the
// last of globals, discovery, cluster and node wins, whole.
func (s *Server) showEffective(w http.ResponseWriter, r *http.Request) error {
	name, query := r.PathValue("name"), r.URL.Query()
	sets := []fsm.Set{fsm.SetCluster(name), fsm.SetSettings, fsm.SetDiscoveries}
	return s.read(w, r, sets, func(g glance) (any, error) {
		c := g.Cluster(name)
		if c == nil {
			return nil, noSuchCluster(name)
		}
		var n *fsm.Node
		if id := query.Get("node"); query.Has("node") {
			if n = g.Node(c.ID, id); n == nil {
				return nil, noSuchNode(name, id)
			}
		}
		return g.effective(c, n)
	})
}

func (g glance) effective(c *fsm.Cluster, n *fsm.Node) (Effective, error) {
	e := Effective{
		Cluster: c.Name, Labels: map[string]EffectiveWord{}, Vars: map[string]EffectiveJSON{},
		Refresh: map[string]EffectiveJSON{},
	}
	docs := []layer{{fromGlobals, g.Settings().Vars}, {fromCluster, c.Settings.Vars}}
	if n != nil {
		e.Node = n.ID
		e.label(g.inForce(slices.Collect(g.NodeListings(c.ID, n.ID))), n.Endpoint.Labels)
	}
	e.settle(fromCluster, c.Settings)
	if n != nil {
		e.settle(fromNode, n.Settings)
		docs = append(docs, layer{fromNode, n.Settings.Vars})
	}
	if err := lay(e.Vars, docs...); err != nil {
		return e, err
	}
	base, from := fsm.DefaultRefresh(), fromDefault
	listings := slices.Collect(g.Listings(c.ID))
	if d := oldest(g, listings); d != nil {
		base, from = d.Spec.Refresh, "discovery "+d.Name
	} else {
		base.Enabled = c.Refresh.Prober != nil
	}
	own, err := json.Marshal(c.Refresh)
	if err != nil {
		return e, err
	}
	whole, err := json.Marshal(c.Refresh.Over(base))
	if err != nil {
		return e, err
	}
	if err := lay(e.Refresh, layer{from, fsm.JSON(whole)}); err != nil {
		return e, err
	}
	return e, lay(e.Refresh, layer{fromCluster, fsm.JSON(own)})
}

// settle lays what an operator set over what holds so far.
func (e *Effective) settle(from string, s fsm.Settable) {
	if s.Group != "" {
		e.Group = &EffectiveWord{Value: s.Group, From: from}
	}
	e.label(from, s.Labels)
}

func (e *Effective) label(from string, labels map[string]string) {
	for k, v := range labels {
		e.Labels[k] = EffectiveWord{Value: v, From: from}
	}
}

// layer is a document and where it comes from.
type layer struct {
	from     string
	document fsm.JSON
}

// lay lays the top-level keys of documents over each other.
func lay(over map[string]EffectiveJSON, layers ...layer) error {
	for _, l := range layers {
		if l.document == "" {
			continue
		}
		var keys map[string]json.RawMessage
		if err := json.Unmarshal([]byte(l.document), &keys); err != nil {
			return err
		}
		for k, v := range keys {
			over[k] = EffectiveJSON{Value: v, From: l.from}
		}
	}
	return nil
}

// inForce names the discovery whose record of a node holds.
func (g glance) inForce(listings []*fsm.Listing) string {
	if d := oldest(g, listings); d != nil {
		return "discovery " + d.Name
	}
	return fromDiscovery
}

// oldest is the discovery whose listing is in force, nil when there is none.
func oldest(g glance, listings []*fsm.Listing) *fsm.Discovery {
	rows := make([]fsm.Listing, len(listings))
	for i, l := range listings {
		rows[i] = *l
	}
	if l := fsm.InForce(rows); l != nil {
		return g.DiscoveryByID(l.Discovery)
	}
	return nil
}
