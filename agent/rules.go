package agent

import (
	"context"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/refresh"
)

// askRequest is an operator who wants a run or refresh now.
type askRequest struct {
	Subject fsm.Subject `json:"subject"`
	Cause   fsm.Cause   `json:"cause"`
}

// ask grants a claim now, not in the beat.
func (t *term) ask(ctx context.Context, q askRequest) (fsm.Result, error) {
	if full := t.full.Load(); full != nil {
		return fsm.Result{}, full
	}
	r := t.agent.machine.Read()
	grant, err := refresh.Assign(r, q.Subject, t.ready(r))
	if err != nil {
		return fsm.Result{}, err
	}
	grant.Cause = &q.Cause
	results, err := t.propose(ctx, fsm.Frame(grant), 1, false)
	if err != nil {
		return fsm.Result{}, err
	}
	return results[0], nil
}

// Ask has the leader grant a claim on the subject now.
func (a *Agent) Ask(ctx context.Context, s fsm.Subject, cause fsm.Cause) (fsm.Result, error) {
	res, err := callAsk.call(ctx, a, askRequest{Subject: s, Cause: cause})
	a.trace.Asked(ctx, res.Claim)
	return res, err
}

// probers are the kinds of prober with what this peer lends them.
func (a *Agent) probers() refresh.Probers {
	return refresh.Probers{
		Kinds: a.cfg.Probers, Env: refresh.Env{HTTP: a.poller, Dial: a.poller.Dial, Reveal: a.cfg.Reveal},
	}
}

// Validate judges a whole discovery: its own words, its backend's config, its template and filter, its prober.
func (a *Agent) Validate(_ context.Context, spec *fsm.Spec) error {
	if err := spec.Validate(); err != nil {
		return err
	}
	return discovery.Validate(*spec, a.cfg.Backends, a.checkProber)
}

// ValidateRefresh judges refresh settings with their prober's config.
func (a *Agent) ValidateRefresh(spec *fsm.RefreshSpec) error {
	if err := spec.Validate(); err != nil {
		return err
	}
	return a.checkProber(spec.Prober, spec.Config)
}

func (a *Agent) checkProber(kind string, config fsm.JSON) error {
	asker, err := a.probers().Make(kind, config, fsm.Second.Std())
	if err != nil {
		return err
	}
	asker.Close()
	return nil
}

// Preview says what a run would do, storing nothing.
func (a *Agent) Preview(ctx context.Context, name string, spec fsm.Spec) (httpd.Preview, error) {
	if err := a.mayWork(spec.On); err != nil {
		return httpd.Preview{}, err
	}
	p, err := a.runner.Preview(ctx, name, spec, replicaFace{a}.Now())
	if err != nil {
		return httpd.Preview{}, fsm.Errorf(fsm.CodeUnavailable, "the source could not be read: %s", err)
	}
	return showPreview(p), nil
}

// mayWork refuses what `on` does not let this peer do.
func (a *Agent) mayWork(on string) error {
	self := a.row()
	if fsm.Allows(on, &self) {
		return nil
	}
	return fsm.Errorf(fsm.CodeConflict, "this peer, %s, may not do it, since on = %q: ask one that may", a.cfg.Name, on)
}

// Live asks all nodes of a cluster now, storing nothing.
func (a *Agent) Live(ctx context.Context, cluster string) ([]fsm.Report, error) {
	r := a.machine.Read()
	if c := r.Cluster(cluster); c != nil {
		if err := a.mayWork(r.RefreshOf(c).On); err != nil {
			return nil, err
		}
	}
	return a.worker.Live(ctx, cluster)
}

// showPreview is a preview as the API shows it.
func showPreview(p discovery.Preview) httpd.Preview {
	out := httpd.Preview{
		Records: len(p.Records), Added: []httpd.PreviewNode{}, Changed: []httpd.PreviewNode{}, Absent: []fsm.NodeRef{},
	}
	byRef := map[fsm.NodeRef]*fsm.Record{}
	clusters := map[string]bool{}
	for i := range p.Records {
		r := &p.Records[i]
		byRef[fsm.NodeRef{Cluster: r.Cluster, Node: r.Node}] = r
		clusters[r.Cluster] = true
	}
	out.Clusters = len(clusters)
	for _, e := range p.Changes {
		added := map[string]bool{}
		for _, f := range e.Facts {
			if f.Type == fsm.NodeDiscovered {
				added[f.Node] = true
			}
		}
		for _, l := range e.Put {
			ref := fsm.NodeRef{Cluster: e.Cluster, Node: l.Node}
			r := byRef[ref]
			switch {
			case r == nil:
				out.Absent = append(out.Absent, ref)
			case added[l.Node]:
				out.Added = append(out.Added, previewNode(r))
			default:
				out.Changed = append(out.Changed, previewNode(r))
			}
		}
	}
	if p.Held != nil {
		h := p.Held
		out.Held = httpd.Held{Hash: h.Hash, Count: h.Count, Owned: h.Owned, Since: h.Since, Nodes: h.Nodes}
	}
	return out
}

func previewNode(r *fsm.Record) httpd.PreviewNode {
	return httpd.PreviewNode{
		Cluster: r.Cluster, Node: r.Node, Address: r.Address, Port: r.Port, Labels: r.Labels, Source: r.Source,
	}
}
