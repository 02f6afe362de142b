package httpd

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/musterhq/muster/fsm"
)

// Discoveries reads a page of discoveries.
func (c *Client) Discoveries(ctx context.Context, o List) (Page[DiscoveryRow], error) {
	return list[DiscoveryRow](ctx, c, o, "discoveries")
}

// Discovery reads one discovery.
func (c *Client) Discovery(ctx context.Context, name string, o Read) (DiscoveryRow, ReadMeta, error) {
	return get[DiscoveryRow](ctx, c, call{path: path("discovery", name), query: o.query(), span: o.span()})
}

// PutDiscovery stores a discovery's setting: a fsm.Spec, or any value whose JSON is part of one.
func (c *Client) PutDiscovery(ctx context.Context, name string, spec any, cas *uint64) (Ack, error) {
	return c.write(ctx, call{method: http.MethodPut, path: path("discovery", name), query: casQuery(cas), body: spec})
}

// DeleteDiscovery deletes a discovery; what it listed goes with the run that follows.
func (c *Client) DeleteDiscovery(ctx context.Context, name string, cas *uint64) (Ack, error) {
	return c.write(ctx, call{method: http.MethodDelete, path: path("discovery", name), query: casQuery(cas)})
}

// RunDiscovery has a discovery run now.
func (c *Client) RunDiscovery(ctx context.Context, name string) (ClaimRow, error) {
	var out ClaimRow
	_, err := c.do(ctx, call{method: http.MethodPost, path: path("discovery", name, "run")}, &out)
	return out, err
}

// ReleaseHeld lets the held set of that hash go.
func (c *Client) ReleaseHeld(ctx context.Context, name, hash string) (Ack, error) {
	return c.write(ctx, call{method: http.MethodPost, path: path("discovery", name, "release"), body: Release{Held: hash}})
}

// PreviewStored says what a run of a stored discovery would bring.
func (c *Client) PreviewStored(ctx context.Context, name string) (Preview, error) {
	var out Preview
	_, err := c.do(ctx, call{method: http.MethodPost, path: path("discovery", name, "preview")}, &out)
	return out, err
}

// PreviewPosted says what a run of a setting would bring: a PreviewRequest, or any value whose JSON is part of one.
func (c *Client) PreviewPosted(ctx context.Context, request any) (Preview, error) {
	var out Preview
	_, err := c.do(ctx, call{method: http.MethodPost, path: path("discoveries", "preview"), body: request}, &out)
	return out, err
}

// Claims reads a page of the open claims.
func (c *Client) Claims(ctx context.Context, o List) (Page[ClaimRow], error) {
	return list[ClaimRow](ctx, c, o, "claims")
}

// Settings reads the group's settings.
func (c *Client) Settings(ctx context.Context, o Read) (fsm.Settings, ReadMeta, error) {
	return get[fsm.Settings](ctx, c, call{path: path("settings"), query: o.query(), span: o.span()})
}

// PutSettings replaces the group's settings; what is left out is its default.
func (c *Client) PutSettings(ctx context.Context, settings any, cas *uint64) (Ack, error) {
	return c.write(ctx, call{method: http.MethodPut, path: path("settings"), query: casQuery(cas), body: settings})
}

// Pause pauses all scheduling, or changes the pause there is.
func (c *Client) Pause(ctx context.Context, pause NewPause) (Paused, error) {
	var out Paused
	_, err := c.do(ctx, call{method: http.MethodPut, path: path("settings", "pause"), body: pause}, &out)
	return out, err
}

// Resume ends the pause of all scheduling, if there is one.
func (c *Client) Resume(ctx context.Context) (Ack, error) {
	return c.write(ctx, call{method: http.MethodDelete, path: path("settings", "pause")})
}

// Leader is the leader's address, empty when none is known.
func (c *Client) Leader(ctx context.Context) (string, error) {
	out, _, err := get[string](ctx, c, call{path: path("status", "leader")})
	return out, err
}

// Peers is the addresses of all servers of the raft group.
func (c *Client) Peers(ctx context.Context) ([]string, error) {
	out, _, err := get[[]string](ctx, c, call{path: path("status", "peers")})
	return out, err
}

// Self is what the peer says of itself.
func (c *Client) Self(ctx context.Context) (Self, error) {
	out, _, err := get[Self](ctx, c, call{path: path("agent", "self")})
	return out, err
}

// Members are the peers as this one sees them.
func (c *Client) Members(ctx context.Context) ([]Member, error) {
	out, _, err := get[[]Member](ctx, c, call{path: path("agent", "members")})
	return out, err
}

// Join has the peer join the group through one of its members.
func (c *Client) Join(ctx context.Context, address string) error {
	return c.act(ctx, http.MethodPut, path("agent", "join", address), nil)
}

// Leave has the peer leave the group for good.
func (c *Client) Leave(ctx context.Context) error {
	return c.act(ctx, http.MethodPut, path("agent", "leave"), nil)
}

// ForceLeave declares a failed member gone for good.
func (c *Client) ForceLeave(ctx context.Context, name string) error {
	return c.act(ctx, http.MethodPut, path("agent", "force-leave", name), nil)
}

// Reload has the peer read its configuration again.
func (c *Client) Reload(ctx context.Context) (out Reloaded, err error) {
	_, err = c.do(ctx, call{method: http.MethodPut, path: path("agent", "reload")}, &out)
	return out, err
}

// RaftConfiguration reads who is in the raft group: as the leader has it, or a stale one as the asked peer has it.
func (c *Client) RaftConfiguration(ctx context.Context, o Read) (RaftConfiguration, error) {
	to := call{path: path("operator", "raft", "configuration"), query: Read{Stale: o.Stale}.query()}
	out, _, err := get[RaftConfiguration](ctx, c, to)
	return out, err
}

// Usage reads what the group and the peer asked use, and of how much.
func (c *Client) Usage(ctx context.Context, o Read) (Usage, ReadMeta, error) {
	return get[Usage](ctx, c, call{path: path("operator", "usage"), query: Read{Stale: o.Stale}.query()})
}

// Configuration is what the peer was told by its command line and its files.
func (c *Client) Configuration(ctx context.Context) (Configuration, error) {
	out, _, err := get[Configuration](ctx, c, call{path: path("agent", "configuration")})
	return out, err
}

// Host is the machine that the peer runs on, and its process.
func (c *Client) Host(ctx context.Context) (Host, error) {
	out, _, err := get[Host](ctx, c, call{path: path("agent", "host")})
	return out, err
}

// RemovePeer removes a server from the raft group.
func (c *Client) RemovePeer(ctx context.Context, id string) error {
	return c.act(ctx, http.MethodDelete, path("operator", "raft", "peer"), url.Values{"id": {id}})
}

// TransferLeader moves leadership to a server, or to the best one when id is empty.
func (c *Client) TransferLeader(ctx context.Context, id string) error {
	q := url.Values{}
	set(q, "id", id)
	return c.act(ctx, http.MethodPost, path("operator", "raft", "transfer-leader"), q)
}

// Ready asks whether the peer should be sent requests, why not, and how each check went. An error means that it did not say.
func (c *Client) Ready(ctx context.Context) (Readiness, error) { return c.readiness(ctx, "/readyz") }

// Live asks whether the peer must be restarted, why, and how each check went.
func (c *Client) Live(ctx context.Context) (Readiness, error) { return c.readiness(ctx, "/livez") }

// Metrics reads the peer's metrics, in the text format of Prometheus.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) { return c.text(ctx, "/metrics") }

// Description reads what the peer says of its API, as OpenAPI 3.1.
func (c *Client) Description(ctx context.Context) ([]byte, error) {
	return c.text(ctx, path("openapi.json"))
}

// text reads an answer as it is.
func (c *Client) text(ctx context.Context, from string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	res, err := c.again(ctx, call{method: http.MethodGet, path: from})
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("GET %s: read answer: %w", from, err)
	}
	return out, nil
}

func (c *Client) act(ctx context.Context, method, to string, q url.Values) error {
	_, err := c.do(ctx, call{method: method, path: to, query: q}, nil)
	return err
}
