package httpprobe

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

const maxRanges = 16

// Prober asks nodes for one page.
type Prober struct {
	http    refresh.Fetcher
	own     probe.Pages // nil when http is the peer's own client
	connect time.Duration
	path    string
	expect  statuses
	kind    string
	keep    []string // the version header, if any
}

// New makes a Prober.
func New(config fsm.JSON, env refresh.Env) (refresh.Asker, error) {
	p := &Prober{http: env.HTTP, connect: env.ConnectTimeout, path: "/"}
	var web probe.Web
	expect, version := []string{"200-299"}, ""
	err := probe.Read(config, probe.Join(web.Fields(), probe.Fields{
		"path": &p.path, "expect": &expect, "kind": &p.kind, "version_header": &version,
	}))
	if err != nil {
		return nil, err
	}
	if err := web.Check(env); err != nil {
		return nil, err
	}
	if err := probe.CheckPath("path", p.path); err != nil {
		return nil, err
	}
	if len(p.kind) > fsm.MaxWord {
		return nil, fsm.Invalid("refresh.config.kind", "is longer than %d bytes", fsm.MaxWord)
	}
	if p.expect, err = parseStatuses(expect); err != nil {
		return nil, err
	}
	if version != "" {
		p.keep = []string{version}
	}
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
	answer, err := p.http.Fetch(ctx, refresh.Request{
		Address: t.HostPort(), Path: p.path, Keep: p.keep, Status: p.expect.hold, ConnectTimeout: p.connect,
	})
	if err != nil {
		return t.Failed(err)
	}
	r := fsm.Report{Node: t.Node, Reachable: true, State: fsm.StateUp, Kind: p.kind}
	if len(answer.Kept) > 0 {
		r.Version = answer.Kept[0]
	}
	r.Bound()
	return r
}

// statuses are ranges of them, both ends included.
type statuses [][2]int

func (s statuses) hold(code int) bool {
	for _, r := range s {
		if r[0] <= code && code <= r[1] {
			return true
		}
	}
	return false
}

// parseStatuses reads texts like "200" and "200-299".
func parseStatuses(texts []string) (statuses, error) {
	const field = "refresh.config.expect"
	if len(texts) == 0 || len(texts) > maxRanges {
		return nil, fsm.Invalid(field, "holds %d entries; 1 to %d are wanted", len(texts), maxRanges)
	}
	ranges := make(statuses, len(texts))
	for i, text := range texts {
		low, high, isRange := strings.Cut(text, "-")
		if !isRange {
			high = low
		}
		from, errFrom := strconv.Atoi(low)
		to, errTo := strconv.Atoi(high)
		switch {
		case errFrom != nil, errTo != nil, from < 200, to > 599, from > to:
			return nil, fsm.Invalid(field, "%q is no status between 200 and 599, or range like \"200-299\"", text)
		case from < 400 && to >= 300:
			return nil, fsm.Invalid(field, "%q takes in redirects, which are never followed", text)
		}
		ranges[i] = [2]int{from, to}
	}
	return ranges, nil
}
