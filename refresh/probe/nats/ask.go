package nats

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

const (
	maxStreams  = 256  // of one server that are followed as shards
	maxAccounts = 4096 // listed at once, most of them without streams
)

// facts are the pages of one poll.
type facts struct {
	server  varz
	health  healthz
	streams jsz // empty when they are not wanted, or too many
}

type varz struct {
	ID      string `json:"server_id"`
	Name    string `json:"server_name"` // the id, where none is set
	Version string `json:"version"`
	Clients uint64 `json:"total_connections"` // since the start
	Cluster struct {
		Name string `json:"name"`
	} `json:"cluster"`
	Gateway struct {
		Name string `json:"name"`
	} `json:"gateway"`
	JetStream struct {
		Config *struct{} `json:"config"`
		Meta   *struct {
			Leader string `json:"leader"` // a server's name
		} `json:"meta"`
	} `json:"jetstream"`
}

type healthz struct {
	Status string `json:"status"`
	Error  string `json:"error"`
}

type jsz struct {
	Streams  *int `json:"streams"`
	Accounts []struct {
		Name    string   `json:"name"`
		Streams []stream `json:"stream_detail"`
	} `json:"account_details"`
}

type stream struct {
	Name    string `json:"name"`
	Cluster *struct {
		Leader string `json:"leader"`
	} `json:"cluster"`
	State struct {
		Last int64 `json:"last_seq"`
	} `json:"state"`
}

func (p *Prober) ask(ctx context.Context, t refresh.Target) (f facts, err error) {
	if p.port != 0 {
		t.Port = p.port
	}
	if err := p.read(ctx, t, "/varz", &f.server); err != nil {
		return f, err
	}
	if f.server.ID == "" || f.server.Version == "" {
		return f, refresh.NewFault(fsm.ReasonProtocol, "/varz names no server and version")
	}
	if f.health, err = p.check(ctx, t, f.server.Version); err != nil {
		return f, err
	}
	if p.streams && f.server.JetStream.Config != nil {
		f.streams, err = p.list(ctx, t)
	}
	return f, err
}

// list asks for the streams, if there are not too many. Pages that leave some out are no answer, or these would seem to be
// gone.
func (p *Prober) list(ctx context.Context, t refresh.Target) (all jsz, err error) {
	var count jsz
	if err := p.read(ctx, t, "/jsz", &count); err != nil {
		return all, err
	}
	switch {
	case count.Streams == nil:
		return all, refresh.NewFault(fsm.ReasonProtocol, "/jsz does not say how many streams there are")
	case *count.Streams == 0, *count.Streams > maxStreams:
		return all, nil
	}
	if err := p.read(ctx, t, "/jsz?accounts=true&streams=true&limit="+strconv.Itoa(maxAccounts), &all); err != nil {
		return all, err
	}
	switch {
	case len(all.Accounts) >= maxAccounts:
		return jsz{}, nil
	case all.Streams == nil, *all.Streams > 0 && len(all.Accounts) == 0:
		return all, refresh.NewFault(fsm.ReasonProtocol, "/jsz lists no streams")
	}
	return all, nil
}

func (p *Prober) read(ctx context.Context, t refresh.Target, path string, page any) error {
	answer, err := p.pages.Fetch(ctx, p.request(t, path))
	if err != nil {
		return err
	}
	return decode(path, answer.Body, page)
}

// check asks for the health of the server itself.
func (p *Prober) check(ctx context.Context, t refresh.Target, version string) (h healthz, err error) {
	path := "/healthz?js-enabled-only=true"
	if strings.HasPrefix(version, "2.9.") || strings.HasPrefix(version, "2.8.") {
		path = "/healthz?js-enabled=true"
	}
	r := p.request(t, path)
	r.Status = func(code int) bool {
		return code == http.StatusOK || code == http.StatusNotFound ||
			code == http.StatusInternalServerError || code == http.StatusServiceUnavailable
	}
	answer, err := p.pages.Fetch(ctx, r)
	if err != nil || answer.Status == http.StatusNotFound {
		return healthz{Status: healthy}, err
	}
	err = decode(path, answer.Body, &h)
	return h, err
}

func (p *Prober) request(t refresh.Target, path string) refresh.Request {
	return refresh.Request{Address: t.HostPort(), Path: path, ConnectTimeout: p.env.ConnectTimeout}
}

func decode(path string, body []byte, page any) error {
	if err := json.Unmarshal(body, page); err != nil {
		return refresh.NewFault(fsm.ReasonDecode, "%s: %w", path, err)
	}
	return nil
}

// explain says of an answer that no NATS server gives at its monitoring port where that is.
func explain(err error) error {
	f := refresh.FaultOf(err)
	switch f.Reason {
	case fsm.ReasonProtocol, fsm.ReasonDecode, fsm.ReasonHTTPStatus:
		return refresh.NewFault(f.Reason, "is no monitoring port of a NATS server (http_port, 8222 as a rule): %s", f.Detail)
	}
	return err
}
