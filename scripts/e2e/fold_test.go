package e2e_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// parts says which part of a view the JSON of an event's before and after is.
var parts = map[fsm.EventType]func() fsm.Part{
	fsm.ClusterDiscovered:      part[fsm.ClusterPart],
	fsm.ClusterRemoved:         part[fsm.ClusterPart],
	fsm.ClusterHealthChanged:   part[fsm.HealthPart],
	fsm.ClusterVersionsMixed:   part[fsm.VersionsPart],
	fsm.ClusterVersionsUniform: part[fsm.VersionsPart],
	fsm.ClusterSettingsChanged: part[fsm.SettingsPart],
	fsm.ShardPrimaryChanged:    part[fsm.PrimaryPart],
	fsm.ShardPrimaryLost:       part[fsm.PrimaryPart],
	fsm.ShardPrimaryRestored:   part[fsm.PrimaryPart],
	fsm.ShardPrimaryDuplicate:  part[fsm.PrimaryPart],
	fsm.NodeDiscovered:         part[fsm.NodePart],
	fsm.NodeRemoved:            part[fsm.NodePart],
	fsm.NodeForgotten:          part[fsm.NodePart],
	fsm.NodeChanged:            part[fsm.ListedPart],
	fsm.NodeMissing:            part[fsm.PresencePart],
	fsm.NodeReturned:           part[fsm.PresencePart],
	fsm.NodeCommissioned:       part[fsm.LifecyclePart],
	fsm.NodeMaintenance:        part[fsm.LifecyclePart],
	fsm.NodeResumed:            part[fsm.LifecyclePart],
	fsm.NodeDecommissioned:     part[fsm.LifecyclePart],
	fsm.NodeSettingsChanged:    part[fsm.SettingsPart],
	fsm.NodeUnreachable:        part[fsm.ReachPart],
	fsm.NodeReachable:          part[fsm.ReachPart],
	fsm.NodeUp:                 part[fsm.StatePart],
	fsm.NodeDown:               part[fsm.StatePart],
	fsm.NodeJoining:            part[fsm.StatePart],
	fsm.NodeLeaving:            part[fsm.StatePart],
	fsm.NodeUnknown:            part[fsm.StatePart],
	fsm.NodeInfoChanged:        part[fsm.SoftwarePart],
	fsm.NodeAttributeMuted:     part[fsm.MutedPart],
	fsm.NodeIdentityMismatch:   part[fsm.IdentityPart],
	fsm.NodeIdentityMatched:    part[fsm.IdentityPart],
	fsm.ShardAdded:             part[fsm.ShardPart],
	fsm.ShardChanged:           part[fsm.ShardPart],
	fsm.ShardRemoved:           part[fsm.ShardPart],
	fsm.ShardLagHigh:           part[fsm.LagPart],
	fsm.ShardLagOK:             part[fsm.LagPart],
}

func part[P any, PP interface {
	*P
	fsm.Part
}]() fsm.Part {
	return PP(new(P))
}

// factOf reads an event of the API back into the fact it tells; false for one that is no part of a view.
func factOf(e httpd.Event) (fsm.Fact, bool, error) {
	blank := parts[e.Type]
	if blank == nil {
		return fsm.Fact{}, false, nil
	}
	f := fsm.Fact{Type: e.Type, Node: e.Node, Shard: e.Shard}
	for _, side := range []struct {
		raw json.RawMessage
		to  *fsm.Part
	}{{e.Before, &f.Before}, {e.After, &f.After}} {
		if side.raw == nil {
			continue
		}
		p := blank()
		if err := json.Unmarshal(side.raw, p); err != nil {
			return f, true, err
		}
		*side.to = p
	}
	return f, true, nil
}

// fold folds all events over empty views. Views of clusters that went are not among them.
func fold(t *testing.T, events []told) map[string]*fsm.View {
	t.Helper()
	views := map[string]*fsm.View{}
	for _, e := range events {
		fact, ofView, err := factOf(e.Event)
		if err != nil {
			t.Fatalf("event %d, %s: %s", e.Seq, e.Type, err)
		}
		if !ofView {
			continue
		}
		v := views[e.Cluster]
		if v == nil {
			v = &fsm.View{Nodes: map[string]*fsm.Node{}}
			views[e.Cluster] = v
		}
		if err := fsm.Fold(v, fact); err != nil {
			t.Fatalf("event %d of cluster %s does not follow from those before it: %s", e.Seq, e.Cluster, err)
		}
		if v.Cluster == nil {
			delete(views, e.Cluster)
		}
	}
	return views
}

// picture is what events and views both tell of a cluster.
type picture struct {
	Health    string
	Reasons   []string
	Versions  []string
	Settings  fsm.Settable
	Primaries map[string]string
	Nodes     map[string]nodePicture
}

type nodePicture struct {
	Address, Probe string
	Port           int
	Labels         map[string]string
	Sources        []string
	Presence       fsm.Presence
	Lifecycle      fsm.Lifecycle
	Group          string
	Vars           fsm.JSON
	Reach, State   fsm.Axis
	Said           fsm.Said
	Muted          []string
}

// pictureOfView is what was folded.
func pictureOfView(v *fsm.View) picture {
	c := v.Cluster
	p := picture{
		Health: c.Health, Reasons: c.Reasons, Versions: c.Versions, Settings: c.Settings,
		Primaries: map[string]string{}, Nodes: map[string]nodePicture{},
	}
	for _, known := range c.Primaries {
		p.Primaries[known.Shard] = known.Node + " " + known.State
	}
	for id, n := range v.Nodes {
		p.Nodes[id] = nodePicture{
			Address: n.Endpoint.Address, Probe: n.Endpoint.Probe, Port: n.Endpoint.Port, Labels: n.Labels(), Sources: n.Sources,
			Presence: n.Presence, Lifecycle: n.Lifecycle, Group: n.Settings.Group, Vars: n.Settings.Vars,
			Reach: n.Reach, State: n.State, Said: n.Said, Muted: n.Muted,
		}
	}
	return p
}

// pictureOfAnswer is what a peer shows.
func pictureOfAnswer(c httpd.ClusterDetail) picture {
	p := picture{
		Health: c.Health, Reasons: c.Reasons, Versions: c.Versions,
		Settings:  fsm.Settable{Group: c.Settings.Group, Labels: c.Settings.Labels, Vars: c.Settings.Vars},
		Primaries: map[string]string{}, Nodes: map[string]nodePicture{},
	}
	for _, s := range c.Shards {
		if s.Primary != "" {
			p.Primaries[s.ID] = s.Primary + " " + s.State
		}
	}
	for _, n := range c.Nodes {
		var sources []string
		for _, s := range n.Sources {
			sources = append(sources, s.Discovery)
		}
		slices.Sort(sources)
		p.Nodes[n.ID] = nodePicture{
			Address: n.Address, Probe: n.Probe, Port: n.Port, Labels: n.Labels, Sources: sources,
			Presence: n.Presence, Lifecycle: n.Lifecycle, Group: n.Group, Vars: n.Vars, Reach: n.Reach, State: n.State,
			Said: fsm.Said{
				Identity: n.Identity, Kind: n.Kind, Version: n.Version, SidecarVersion: n.SidecarVersion,
				Attributes: n.Attributes, Shards: n.Shards,
			},
			Muted: n.Muted,
		}
	}
	return p
}

// samePictures fails the test where events, folded, are not what a peer shows.
func samePictures(t *testing.T, peer string, views map[string]*fsm.View, shown map[string]httpd.ClusterDetail) {
	t.Helper()
	if len(views) != len(shown) {
		t.Errorf("the events leave %d clusters, %s shows %d", len(views), peer, len(shown))
	}
	for name, v := range views {
		c, ok := shown[name]
		if !ok {
			t.Errorf("%s does not show cluster %s", peer, name)
			continue
		}
		if diff := cmp.Diff(pictureOfView(v), pictureOfAnswer(c), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("cluster %s: folded events (-) and the view on %s (+):\n%s", name, peer, diff)
		}
	}
}
