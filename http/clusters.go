package httpd

import (
	"iter"
	"net/http"
	"strings"

	"github.com/musterhq/muster/fsm"
)

func (s *Server) listClusters(w http.ResponseWriter, r *http.Request) error {
	return readPage(s, w, r, fsm.SetClusters, func(g glance, l listing) (source[*fsm.Cluster, ClusterRow], error) {
		return source[*fsm.Cluster, ClusterRow]{
			items: g.Clusters(l.after), key: func(c *fsm.Cluster) string { return c.Name }, row: g.clusterRow,
			sketch: sketch[*fsm.Cluster, ClusterRow]{row: clusterSketch, lacks: unsketched},
		}, nil
	})
}

func (s *Server) showCluster(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Has("at") {
		return s.showClusterThen(w, r)
	}
	return s.readCluster(w, r, func(g glance, c *fsm.Cluster) (any, error) { return g.clusterDetail(c), nil })
}

// readCluster answers a GET about one cluster.
func (s *Server) readCluster(w http.ResponseWriter, r *http.Request, answer func(glance, *fsm.Cluster) (any, error)) error {
	name := r.PathValue("name")
	return s.read(w, r, []fsm.Set{fsm.SetCluster(name)}, func(g glance) (any, error) {
		c := g.Cluster(name)
		if c == nil {
			return nil, noSuchCluster(name)
		}
		return answer(g, c)
	})
}

func (s *Server) listClusterNodes(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	return readPage(s, w, r, fsm.SetCluster(name), func(g glance, l listing) (source[*fsm.Node, NodeRow], error) {
		c := g.Cluster(name)
		if c == nil {
			return source[*fsm.Node, NodeRow]{}, noSuchCluster(name)
		}
		key := func(n *fsm.Node) string { return n.ID }
		return source[*fsm.Node, NodeRow]{
			items: skipTo(g.Nodes(c.ID), key, l.after), key: key, row: g.nodesOf(c).row,
		}, nil
	})
}

func (s *Server) listShards(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	return readPage(s, w, r, fsm.SetCluster(name), func(g glance, l listing) (source[ShardRow, ShardRow], error) {
		c := g.Cluster(name)
		if c == nil {
			return source[ShardRow, ShardRow]{}, noSuchCluster(name)
		}
		rows := func(yield func(ShardRow) bool) {
			for _, row := range shardsOf(c, g.Gists(c.ID)) {
				if !yield(row) {
					return
				}
			}
		}
		key := func(row ShardRow) string { return row.ID }
		return source[ShardRow, ShardRow]{
			items: skipTo(rows, key, l.after), key: key, row: func(row ShardRow) ShardRow { return row },
		}, nil
	})
}

// member is a node with the teller of its cluster.
type member struct {
	nodeTeller
	node *fsm.Node
}

func (m member) ref() fsm.NodeRef { return fsm.NodeRef{Cluster: m.cluster.Name, Node: m.node.ID} }

// listNodes lists the nodes of all clusters. Its set is that of the clusters: a node's sources move its cluster's version
// and no row of its own.
func (s *Server) listNodes(w http.ResponseWriter, r *http.Request) error {
	return readPage(s, w, r, fsm.SetClusters, func(g glance, l listing) (source[member, NodeRow], error) {
		items, err := g.members(l.after)
		return source[member, NodeRow]{
			items: items,
			key:   func(m member) string { return m.ref().String() },
			row:   func(m member) NodeRow { return m.row(m.node) },
		}, err
	})
}

// members yields all nodes by cluster and id, after the one named cluster/id.
func (g glance) members(after string) (iter.Seq[member], error) {
	cluster, node, ok := strings.Cut(after, "/")
	if after != "" && !ok {
		return nil, fsm.Invalid("after", "%q is not cluster/id, as X-Muster-Next says it", after)
	}
	return func(yield func(member) bool) {
		if c := g.Cluster(cluster); ok && c != nil {
			teller, key := g.nodesOf(c), func(n *fsm.Node) string { return n.ID }
			for n := range skipTo(g.Nodes(c.ID), key, node) {
				if !yield(member{teller, n}) {
					return
				}
			}
		}
		for c := range g.Clusters(cluster) {
			teller := g.nodesOf(c)
			for n := range g.Nodes(c.ID) {
				if !yield(member{teller, n}) {
					return
				}
			}
		}
	}, nil
}

func (s *Server) showNode(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	return s.readCluster(w, r, func(g glance, c *fsm.Cluster) (any, error) {
		n := g.Node(c.ID, id)
		if n == nil {
			return nil, noSuchNode(c.Name, id)
		}
		return g.nodesOf(c).row(n), nil
	})
}
