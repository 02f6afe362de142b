package httpd

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/musterhq/muster/fsm"
)

// fromDefault is where a refresh setting comes from that nobody set.
const fromDefault = "default"

// showEffective tells what holds for a cluster, or with ?node= for one of its nodes, where each key comes from, and what it
// hides. Of a key set in several places the nearest wins, whole.
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
	e := Effective{Cluster: c.Name, Labels: map[string]*EffectiveKey{}, Vars: map[string]*EffectiveKey{}}
	if n != nil {
		e.Node = n.ID
	}
	for _, l := range g.Layers(c, n) {
		if err := e.lay(l, n == nil); err != nil {
			return e, err
		}
	}
	refresh, err := g.effectiveRefresh(c)
	e.Refresh = refresh
	return e, err
}

// lay lays a layer over what holds so far. Guards are a cluster's.
func (e *Effective) lay(l fsm.Layer, guards bool) error {
	from := layerName(l)
	if l.Group != "" {
		e.Group = e.Group.under(l.Group, from)
	}
	for k, v := range l.Labels {
		e.Labels[k] = e.Labels[k].under(v, from)
	}
	if guards && len(l.Guards) > 0 {
		e.Guards = e.Guards.under(l.Guards, from)
	}
	return layKeys(e.Vars, l.Vars, from)
}

// layerName is a layer in words.
func layerName(l fsm.Layer) string {
	switch {
	case l.From == fsm.LayerDiscovery, l.From == fsm.LayerRecord && l.Discovery == "":
		return "discovery " + l.Discovery
	case l.From == fsm.LayerRecord:
		return "record of " + l.Discovery
	}
	return l.From
}

// under is a value laid over k, nil when there was none.
func (k *EffectiveKey) under(value any, from string) *EffectiveKey {
	top := &EffectiveKey{Value: value, From: from}
	if k != nil {
		top.Over = slices.Concat([]Hidden{{Value: k.Value, From: k.From}}, k.Over)
	}
	return top
}

// layKeys lays the top-level keys of a document over others.
func layKeys(over map[string]*EffectiveKey, document fsm.JSON, from string) error {
	keys, err := fsm.JSONKeys(document)
	for k, v := range keys {
		over[k] = over[k].under(v, from)
	}
	return err
}

// effectiveRefresh is how the cluster's nodes are asked, and who says so.
func (g glance) effectiveRefresh(c *fsm.Cluster) (map[string]*EffectiveKey, error) {
	out := map[string]*EffectiveKey{}
	for _, l := range g.Layers(c, nil) {
		if l.From != fsm.LayerDiscovery {
			continue
		}
		raw, err := json.Marshal(g.Discovery(l.Discovery).Spec.Refresh)
		if err != nil {
			return nil, err
		}
		if err := layKeys(out, fsm.JSON(raw), layerName(l)); err != nil {
			return nil, err
		}
	}
	own, err := json.Marshal(c.Refresh)
	if err != nil {
		return nil, err
	}
	if err := layKeys(out, fsm.JSON(own), fsm.LayerCluster); err != nil {
		return nil, err
	}
	// What holds may follow from several of these, or from none.
	whole, err := json.Marshal(g.RefreshOf(c))
	if err != nil {
		return nil, err
	}
	keys, err := fsm.JSONKeys(fsm.JSON(whole))
	for k, v := range keys {
		if out[k] == nil {
			out[k] = &EffectiveKey{From: fromDefault}
		}
		out[k].Value = v
	}
	return out, err
}
