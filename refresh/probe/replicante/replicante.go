package replicante

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

const maxRemembered = 4096 // addresses of agents of the first generation

// Prober asks Replicante agents.
type Prober struct {
	pages probe.Pages

	mu    sync.Mutex
	first map[string]struct{} // addresses where an agent of the first generation answered
}

// New makes a Prober.
func New(config fsm.JSON, env refresh.Env) (refresh.Asker, error) {
	var web probe.Web
	if err := probe.Read(config, web.Fields()); err != nil {
		return nil, err
	}
	if err := web.Check(env); err != nil {
		return nil, err
	}
	return &Prober{pages: web.Pages(env), first: map[string]struct{}{}}, nil
}

// Close closes the idle connections.
func (p *Prober) Close() { p.pages.Close() }

// errAbsent is how an agent of another generation answers a generation's first page.
var errAbsent = errors.New("absent")

// Probe implements refresh.Prober.
func (p *Prober) Probe(ctx context.Context, t refresh.Target) fsm.Report {
	known := p.isFirst(t.HostPort())
	generations := []func(context.Context, asked) (fsm.Report, error){second, first}
	if known {
		generations = []func(context.Context, asked) (fsm.Report, error){first, second}
	}
	a := asked{pages: p.pages, target: t}
	r, err := generations[0](ctx, a)
	if errors.Is(err, errAbsent) {
		if r, err = generations[1](ctx, a); err == nil {
			p.remember(t.HostPort(), !known)
		}
	}
	switch {
	case errors.Is(err, errAbsent):
		return t.Failed(refresh.NewFault(fsm.ReasonProtocol,
			"is no Replicante agent: it has neither %s nor %s", nodePage, agentPage))
	case err != nil:
		return t.Failed(err)
	}
	r.Node, r.Reachable = t.Node, true
	r.Bound()
	return r
}

func (p *Prober) isFirst(address string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, known := p.first[address]
	return known
}

// remember keeps the generation of an agent. With too many kept all are forgotten: each then costs one question more.
func (p *Prober) remember(address string, isFirst bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !isFirst {
		delete(p.first, address)
		return
	}
	if len(p.first) >= maxRemembered {
		clear(p.first)
	}
	p.first[address] = struct{}{}
}

// asked is one agent that is being asked.
type asked struct {
	pages  probe.Pages
	target refresh.Target
}

// get reads a page that an agent has or has not, or that may fail with its store.
func (a asked) get(ctx context.Context, path string) (refresh.Response, error) {
	return a.pages.Fetch(ctx, refresh.Request{
		Address: a.target.HostPort(), Path: path,
		Status: func(code int) bool { return code == http.StatusOK || code == http.StatusNotFound || code >= 500 },
	})
}

// ask reads the first page of a generation.
func (a asked) ask(ctx context.Context, path string, into any) error {
	answer, err := a.get(ctx, path)
	switch {
	case err != nil:
		return err
	case answer.Status == http.StatusNotFound:
		return errAbsent
	case answer.Status != http.StatusOK:
		return statusFault(path, answer)
	}
	return decode(path, answer.Body, into)
}

// askStore reads a page that speaks for the store, and says how the store failed if it did. A page that is absent leaves
// into as it is.
func (a asked) askStore(ctx context.Context, path string, into any) (failed string, err error) {
	answer, err := a.get(ctx, path)
	switch {
	case err != nil:
		return "", err
	case answer.Status >= 500:
		return why(answer), nil
	case answer.Status == http.StatusNotFound && len(answer.Body) > 0:
		return "", statusFault(path, answer)
	case answer.Status == http.StatusNotFound:
		return "", nil
	}
	return "", decode(path, answer.Body, into)
}

func statusFault(path string, answer refresh.Response) error {
	return refresh.NewFault(fsm.ReasonHTTPStatus, "%s: %s", path, why(answer))
}

func decode(path string, body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return refresh.NewFault(fsm.ReasonDecode, "%s: %w", path, err)
	}
	return nil
}
