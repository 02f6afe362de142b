package sidecar

import (
	"context"
	"net/http"
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
	pages   probe.Pages
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
	return &Prober{pages: web.Pages(env), connect: env.ConnectTimeout}, nil
}

// Close closes the idle connections that are the prober's own: none without TLS and login.
func (p *Prober) Close() { p.pages.Close() }

// Probe implements refresh.Prober.
func (p *Prober) Probe(ctx context.Context, t refresh.Target) fsm.Report {
	return p.ProbeIf(ctx, t, "").Report
}

// ProbeIf implements refresh.Conditional.
func (p *Prober) ProbeIf(ctx context.Context, t refresh.Target, etag string) refresh.Answer {
	r, err := p.pages.Fetch(ctx, refresh.Request{
		Address: t.HostPort(), Path: refresh.NodePath, IfNoneMatch: etag, Keep: keep, ConnectTimeout: p.connect,
	})
	if err != nil {
		return refresh.Answer{Report: t.Failed(err)}
	}
	if r.Status == http.StatusNotModified {
		return refresh.Answer{
			Report: fsm.Report{Node: t.Node}, ETag: etag, NotModified: true, WorstLagMS: milliseconds(r.Kept[lag]),
		}
	}
	d, err := refresh.DecodeBytes(r.Body)
	if err != nil {
		return refresh.Answer{Report: t.Failed(err)}
	}
	return refresh.Answer{Report: d.Report(t.Node), ETag: usable(r.Kept[tag])}
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
