package fsm

import (
	"encoding/json"
	"maps"
	"slices"
)

// Settable is what an operator sets on the whole group, a discovery, a cluster or a node. What holds for a node is laid from
// these, the nearest winning: group and guards whole, labels and vars key by key (Layers).
type Settable struct {
	Group  string            `cbor:"1,keyasint,omitempty" json:"group,omitempty"`
	Labels map[string]string `cbor:"2,keyasint,omitempty" json:"labels,omitempty"`
	Vars   JSON              `cbor:"3,keyasint,omitempty" json:"vars,omitempty"`
	Guards []Guard           `cbor:"4,keyasint,omitempty" json:"guards,omitempty"` // of clusters; none can be set on a node
}

// IsZero says whether nothing is set.
func (s Settable) IsZero() bool {
	return s.Group == "" && len(s.Labels) == 0 && s.Vars == "" && len(s.Guards) == 0
}

// Equal says whether the same is set; an empty map and none are one.
func (s Settable) Equal(o Settable) bool {
	return s.Group == o.Group && s.Vars == o.Vars && maps.Equal(s.Labels, o.Labels) && slices.Equal(s.Guards, o.Guards)
}

// Validate refuses what is out of bounds, naming the field.
func (s Settable) Validate() error {
	if s.Group != "" {
		if err := CheckClusterName("group", s.Group); err != nil {
			return err
		}
	}
	if err := CheckLabels("labels", s.Labels); err != nil {
		return err
	}
	if len(s.Vars) > MaxVars {
		return Invalid("vars", "is %d bytes long; at most %d are allowed", len(s.Vars), MaxVars)
	}
	if s.Vars != "" && s.Vars[0] != '{' {
		return Invalid("vars", "is not an object")
	}
	return checkGuards(s.Guards)
}

// Where a layer comes from; the name of the discovery is told beside it.
const (
	LayerGlobals   = "globals"
	LayerDiscovery = "discovery" // what an operator set on the discovery
	LayerRecord    = "record"    // what the discovery's source says of the node
	LayerCluster   = "cluster"
	LayerNode      = "node"
)

// Layer is one of those from which what holds is laid.
type Layer struct {
	From      string
	Discovery string // its name, for the two layers that are a discovery's
	Settable
}

// Layers are what is set for a cluster, or with a node for that node, the farthest first: the group's globals, the discovery
// in force, what its source says of the node, the cluster, the node itself. A cluster goes by the oldest discovery that
// lists any of its nodes now, a node by the oldest that lists it.
func (r *Reader) Layers(c *Cluster, n *Node) []Layer {
	layers := []Layer{{From: LayerGlobals, Settable: r.Settings().Settable}}
	d := r.discoveryOf(c.ID)
	if n != nil {
		d = r.nodeDiscovery(c.ID, n.ID)
	}
	name := ""
	if d != nil {
		name = d.Name
		layers = append(layers, Layer{From: LayerDiscovery, Discovery: name, Settable: d.Spec.Settable})
	}
	if n != nil {
		layers = append(layers, Layer{From: LayerRecord, Discovery: name, Settable: Settable{Labels: n.Endpoint.Labels}})
	}
	layers = append(layers, Layer{From: LayerCluster, Settable: c.Settings})
	if n != nil {
		layers = append(layers, Layer{From: LayerNode, Settable: n.Settings})
	}
	return layers
}

// GroupOf is the group that a node is in: the nearest that is set, empty for none.
func GroupOf(layers []Layer) string {
	group := ""
	for _, l := range layers {
		if l.Group != "" {
			group = l.Group
		}
	}
	return group
}

// JSONKeys reads the top-level keys of an object, none of an empty text.
func JSONKeys(document JSON) (map[string]json.RawMessage, error) {
	var keys map[string]json.RawMessage
	if document == "" {
		return nil, nil
	}
	err := json.Unmarshal([]byte(document), &keys)
	return keys, err
}
