package sidecar

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

const maxTag = 256

// keep is what is wanted of an answer's header; tag and lag are its positions.
var keep = []string{"ETag", refresh.LagHeader}

const (
	tag = iota
	lag
)

// Prober asks nodes by the node protocol. It is a refresh.Conditional.
type Prober struct {
	http    refresh.Fetcher
	own     probe.Pages // nil when http is the peer's own client
	connect time.Duration
}

// New makes a Prober. Its options are those of probe.Web.
func New(config fsm.JSON, env refresh.Env) (refresh.Asker, error) {
	var web probe.Web
	if err := probe.Read(config, web.Fields()); err != nil {
		return nil, err
	}
	if err := web.Check(env); err != nil {
		return nil, err
	}
	p := &Prober{http: env.HTTP, connect: env.ConnectTimeout}
	if web != (probe.Web{}) {
		p.own = web.Pages(env)
		p.http = p.own
	}
	return p, nil
}

// Close closes the idle connections that are the prober's own.
func (p *Prober) Close() {
	if p.own != nil {
		p.own.Close()
	}
}

// Probe implements refresh.Prober.
func (p *Prober) Probe(ctx context.Context, t refresh.Target) fsm.Report {
	return p.ProbeIf(ctx, t, "").Report
}

// ProbeIf implements refresh.Conditional.
func (p *Prober) ProbeIf(ctx context.Context, t refresh.Target, etag string) refresh.Answer {
	r, err := p.http.Fetch(ctx, refresh.Request{
		Address: t.HostPort(), Path: refresh.NodePath, IfNoneMatch: etag, Keep: keep, Status: answers, ConnectTimeout: p.connect,
	})
	if err != nil {
		return refresh.Answer{Report: t.Failed(err)}
	}
	if r.Status == http.StatusNotModified {
		return refresh.Answer{
			Report: fsm.Report{Node: t.Node}, ETag: etag, NotModified: true, WorstLagMS: milliseconds(r.Kept[lag]),
		}
	}
	if r.Status == http.StatusServiceUnavailable {
		return refresh.Answer{Report: t.Failed(refusal(r.Body))}
	}
	d, err := refresh.DecodeBytes(r.Body)
	if err != nil {
		return refresh.Answer{Report: t.Failed(err)}
	}
	return refresh.Answer{Report: d.Report(t.Node), ETag: usable(r.Kept[tag])}
}

func answers(status int) bool {
	return status == http.StatusOK || status == http.StatusServiceUnavailable
}

// refusal is why an agent could not ask its store, as the body of its 503 says; http_status where it does not, or in words of
// its own.
func refusal(body []byte) error {
	var said struct {
		Error struct {
			Message string `json:"message"`
			Fields  struct {
				Reason string `json:"reason"`
			} `json:"fields"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil || !slices.Contains(reasons, said.Error.Fields.Reason) {
		return refresh.NewFault(fsm.ReasonHTTPStatus, "503 Service Unavailable")
	}
	return refresh.NewFault(said.Error.Fields.Reason, "%s", said.Error.Message)
}

// reasons are those that an agent may give; others would be words without bound.
var reasons = []string{
	fsm.ReasonRefused, fsm.ReasonTimeout, fsm.ReasonUnreachable, fsm.ReasonReset, fsm.ReasonDNS, fsm.ReasonTLS, fsm.ReasonHTTPStatus,
	fsm.ReasonDecode, fsm.ReasonTooLarge, fsm.ReasonRedirect, fsm.ReasonForbidden, fsm.ReasonAuth, fsm.ReasonProtocol, fsm.ReasonStore,
}

func milliseconds(s string) *int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return nil
	}
	return &n
}

// usable is a tag that can be sent back; empty for others.
func usable(etag string) string {
	if len(etag) > maxTag {
		return ""
	}
	for i := range len(etag) {
		if c := etag[i]; c < '!' || c > '~' {
			return ""
		}
	}
	return etag
}
