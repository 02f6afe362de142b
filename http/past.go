package httpd

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/musterhq/muster/fsm"
)

// maxUnfolding is how long an answer about the past may be worked on: it walks all events since.
const maxUnfolding = 10 * time.Second

// Moment is the event whose outcome an answer about the past shows.
type Moment struct {
	Cursor string   `json:"cursor"`
	Time   fsm.Time `json:"time"`
}

// showClusterThen shows a cluster as it was after the event that ?at= names, by its seq or its cursor: all that events tell,
// which is all but when it was refreshed, what failed meanwhile, and since when a source does not list a node.
func (s *Server) showClusterThen(w http.ResponseWriter, r *http.Request) error {
	name, query := r.PathValue("name"), r.URL.Query()
	if query.Has("index") || query.Has("wait") {
		return fsm.Invalid("at", "is set with index; what was does not change, so there is nothing to wait for")
	}
	ctx, cancel := context.WithTimeout(r.Context(), maxUnfolding)
	defer cancel()
	return s.read(w, r, []fsm.Set{fsm.SetCluster(name)}, func(g glance) (any, error) {
		seq, err := parseAt(query, g.Meta())
		if err != nil {
			return nil, err
		}
		view, at, err := g.AsOf(ctx, name, seq)
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return nil, fsm.Errorf(fsm.CodeUnavailable, "so many events came since that %s are too short; ask for a later one",
				maxUnfolding)
		case err != nil:
			return nil, err
		case view.Cluster == nil:
			return nil, fsm.Errorf(fsm.CodeNotFound, "there was no cluster %q at event %d", name, seq)
		}
		return detailThen(view, Moment{Cursor: g.Meta().Cursor(seq).String(), Time: at}), nil
	})
}

// parseAt reads ?at=, a seq or a cursor of the current epoch.
func parseAt(query url.Values, m *fsm.Meta) (uint64, error) {
	text := query.Get("at")
	if epoch, seq, ok := strings.Cut(text, ":"); ok && epoch != "" {
		if epoch != m.Epoch() {
			return 0, fsm.Errorf(fsm.CodeGone, "%q is of another epoch than the current one, %s", text, m.Epoch()).
				With("oldest", m.OldestView().String())
		}
		text = seq
	}
	seq, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fsm.Invalid("at", "%q is no event: wanted is its number, or its cursor like 01JD…:4711", query.Get("at"))
	}
	return seq, nil
}

// detailThen tells a view without a state around it.
func detailThen(v *fsm.View, at Moment) ClusterDetail {
	nodes := make([]*fsm.Node, 0, len(v.Nodes))
	for _, id := range v.NodeIDs() {
		nodes = append(nodes, v.Nodes[id])
	}
	d := ClusterDetail{
		ClusterRow: pictureOf(v.Cluster, slices.Values(nodes)), Settings: clusterSettings(v.Cluster),
		Nodes: make([]NodeRow, 0, len(nodes)), Shards: shardsOf(v.Cluster, slices.Values(nodes)), At: at,
	}
	d.Index = 0
	for _, n := range nodes {
		row := wordOf(v.Cluster.Name, n)
		row.Index = 0
		for _, name := range n.Sources {
			row.Sources = append(row.Sources, fsm.Source{Discovery: name})
		}
		d.Nodes = append(d.Nodes, row)
	}
	return d
}

func (s *Server) clusterHistory(w http.ResponseWriter, r *http.Request) error {
	return s.readCluster(w, r, func(g glance, c *fsm.Cluster) (any, error) {
		return g.past(fsm.Subject{Kind: fsm.KindRefresh, ID: c.ID}), nil
	})
}

func (s *Server) discoveryHistory(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	return s.read(w, r, []fsm.Set{fsm.SetDiscoveries}, func(g glance) (any, error) {
		d := g.Discovery(name)
		if d == nil {
			return nil, noSuchDiscovery(name)
		}
		return g.past(fsm.Subject{Kind: fsm.KindRun, ID: d.ID}), nil
	})
}

// past is the last runs or refreshes of a subject, the latest first, with their peers by name.
func (g glance) past(subject fsm.Subject) []fsm.Work {
	s := g.Schedule(subject)
	if s == nil {
		return []fsm.Work{}
	}
	out := s.Past.Work()
	for i := range out {
		out[i].Peer = g.peerName(out[i].Peer)
	}
	return out
}
