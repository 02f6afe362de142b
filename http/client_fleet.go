package httpd

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/musterhq/muster/fsm"
)

// Clusters reads a page of clusters.
func (c *Client) Clusters(ctx context.Context, o List) (Page[ClusterRow], error) {
	return list[ClusterRow](ctx, c, o, "clusters")
}

// Cluster reads one cluster with its nodes and shards.
func (c *Client) Cluster(ctx context.Context, name string, o Read) (ClusterDetail, ReadMeta, error) {
	return get[ClusterDetail](ctx, c, call{path: path("cluster", name), query: o.query(), span: o.span()})
}

// ClusterAt is a cluster as it was after an event: at is its seq or cursor.
func (c *Client) ClusterAt(ctx context.Context, name, at string, o Read) (ClusterDetail, ReadMeta, error) {
	query := o.query()
	query.Set("at", at)
	return get[ClusterDetail](ctx, c, call{path: path("cluster", name), query: query, span: o.span()})
}

// ClusterHistory is how the last refreshes of a cluster went, the latest first.
func (c *Client) ClusterHistory(ctx context.Context, name string, o Read) ([]fsm.Work, ReadMeta, error) {
	return get[[]fsm.Work](ctx, c, call{path: path("cluster", name, "history"), query: o.query(), span: o.span()})
}

// DiscoveryHistory is how the last runs of a discovery went, the latest first.
func (c *Client) DiscoveryHistory(ctx context.Context, name string, o Read) ([]fsm.Work, ReadMeta, error) {
	return get[[]fsm.Work](ctx, c, call{path: path("discovery", name, "history"), query: o.query(), span: o.span()})
}

// PatchCluster lays a merge patch over a cluster's settings: any value whose JSON is one, such as a map.
func (c *Client) PatchCluster(ctx context.Context, name string, patch any, cas *uint64) (Ack, error) {
	return c.write(ctx, call{method: http.MethodPatch, path: path("cluster", name), query: casQuery(cas), body: patch, patch: true})
}

// DeleteCluster deletes an empty cluster.
func (c *Client) DeleteCluster(ctx context.Context, name string, cas *uint64) (Ack, error) {
	return c.write(ctx, call{method: http.MethodDelete, path: path("cluster", name), query: casQuery(cas)})
}

// RefreshCluster has a cluster refreshed now.
func (c *Client) RefreshCluster(ctx context.Context, name string) (ClaimRow, error) {
	var out ClaimRow
	_, err := c.do(ctx, call{method: http.MethodPost, path: path("cluster", name, "refresh")}, &out)
	return out, err
}

// LiveCluster asks a cluster's nodes now.
func (c *Client) LiveCluster(ctx context.Context, name string) ([]LiveNode, error) {
	out, _, err := get[[]LiveNode](ctx, c, call{path: path("cluster", name, "live")})
	return out, err
}

// ClusterNodes reads a page of a cluster's nodes.
func (c *Client) ClusterNodes(ctx context.Context, name string, o List) (Page[NodeRow], error) {
	return list[NodeRow](ctx, c, o, "cluster", name, "nodes")
}

// Shards reads a page of a cluster's shards.
func (c *Client) Shards(ctx context.Context, name string, o List) (Page[ShardRow], error) {
	return list[ShardRow](ctx, c, o, "cluster", name, "shards")
}

// Effective reads what holds for a cluster, or for one of its nodes when node is not empty.
func (c *Client) Effective(ctx context.Context, name, node string, o Read) (Effective, ReadMeta, error) {
	q := o.query()
	set(q, "node", node)
	return get[Effective](ctx, c, call{path: path("cluster", name, "effective"), query: q, span: o.span()})
}

// Targets reads all nodes as Prometheus' http_sd has them.
func (c *Client) Targets(ctx context.Context, o Read) ([]Targets, ReadMeta, error) {
	return get[[]Targets](ctx, c, call{path: path("sd", "prometheus"), query: o.query()})
}

// Nodes reads a page of the nodes of all clusters.
func (c *Client) Nodes(ctx context.Context, o List) (Page[NodeRow], error) {
	return list[NodeRow](ctx, c, o, "nodes")
}

// Node reads one node.
func (c *Client) Node(ctx context.Context, ref fsm.NodeRef, o Read) (NodeRow, ReadMeta, error) {
	return get[NodeRow](ctx, c, call{path: path("cluster", ref.Cluster, "node", ref.Node), query: o.query(), span: o.span()})
}

// PatchNode lays a merge patch over what operators set on a node.
func (c *Client) PatchNode(ctx context.Context, ref fsm.NodeRef, patch any, cas *uint64) (Ack, error) {
	return c.write(ctx, call{
		method: http.MethodPatch, path: path("cluster", ref.Cluster, "node", ref.Node), query: casQuery(cas), body: patch, patch: true,
	})
}

// Transition moves nodes to another lifecycle, all or none.
func (c *Client) Transition(ctx context.Context, t Transition) (Transitioned, error) {
	var out Transitioned
	_, err := c.do(ctx, call{method: http.MethodPost, path: path("nodes", "transition"), body: t}, &out)
	return out, err
}

func (c *Client) write(ctx context.Context, k call) (Ack, error) {
	var out Ack
	_, err := c.do(ctx, k, &out)
	return out, err
}

func casQuery(cas *uint64) url.Values {
	if cas == nil {
		return nil
	}
	return url.Values{"cas": {strconv.FormatUint(*cas, 10)}}
}
