package refresh_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// bench is a worker in a bubble with a leader that is asked by function calls.
type bench struct {
	*leader
	mu      sync.Mutex
	claims  chan []*fsm.Claim
	sent    []fsm.Command
	answer  func(c fsm.Command) (fsm.Result, error) // nil: apply it
	replica func() *fsm.Reader                      // nil: the leader's state
	waited  []uint64
	worker  *refresh.Worker
}

// Propose is refresh.Log's.
func (b *bench) Propose(_ context.Context, c fsm.Command) (fsm.Result, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(b.sent, c)
	if b.answer != nil {
		return b.answer(c)
	}
	return b.apply(c).Results[0], nil
}

// Read is refresh.Replica's.
func (b *bench) Read() *fsm.Reader {
	if b.replica != nil {
		return b.replica()
	}
	return b.state.Read()
}

// WaitIndex is refresh.Replica's.
func (b *bench) WaitIndex(_ context.Context, index uint64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waited = append(b.waited, index)
	return nil
}

// Take is refresh.Claims's.
func (b *bench) Take(ctx context.Context) ([]*fsm.Claim, error) {
	select {
	case c := <-b.claims:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (b *bench) commands() []fsm.Command {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent
}

// prober answers as it is told, after a while.
type prober struct {
	takes  time.Duration
	report func(t refresh.Target) fsm.Report
	mu     sync.Mutex
	asked  map[string]int
	closed int
}

func (p *prober) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed++
}

// Probe is refresh.Prober's.
func (p *prober) Probe(ctx context.Context, t refresh.Target) fsm.Report {
	p.mu.Lock()
	if p.asked == nil {
		p.asked = map[string]int{}
	}
	p.asked[t.Cluster+"/"+t.Node]++
	p.mu.Unlock()
	select {
	case <-ctx.Done():
		return t.Failed(context.Cause(ctx))
	case <-time.After(p.takes):
	}
	return p.report(t)
}

// thirdParty asks one place for all.
type thirdParty struct {
	report func(t refresh.Target) fsm.Report
	failed error
}

func (*thirdParty) Close() {}

// ProbeCluster is refresh.ClusterProber's.
func (p *thirdParty) ProbeCluster(_ context.Context, targets []refresh.Target) ([]fsm.Report, error) {
	var out []fsm.Report
	for _, t := range targets {
		out = append(out, p.report(t))
	}
	return out, p.failed
}

func wellReport(t refresh.Target) fsm.Report {
	return fsm.Report{Node: t.Node, Reachable: true, State: fsm.StateUp}
}

// atWork runs a worker with a prober in a bubble, until test returns.
func atWork(t *testing.T, asker refresh.Asker, sizes []int, test func(t *testing.T, b *bench, ids []uint64)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{leader: lead(t, 100, "a", "b"), claims: make(chan []*fsm.Claim, 1)}
		ids := b.read(sizes...)
		w, err := refresh.NewWorker(refresh.WorkerConfig{
			Claims: b, Log: b, Replica: b, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
			Probers: refresh.Probers{Kinds: map[string]refresh.Maker{
				"sidecar": func(fsm.JSON, refresh.Env) (refresh.Asker, error) { return asker, nil },
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		b.worker = w
		running(t, w)
		test(t, b, ids)
	})
}

// grant opens claims for peer a in one entry and gives them to the worker.
func (b *bench) grant(ids ...uint64) []*fsm.Claim {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	granted := b.apply(&fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: "a", TTL: 15 * fsm.Second, Reason: fsm.WhyDue, IDs: ids}).Granted
	if len(granted) != len(ids) {
		b.t.Fatalf("%d of %d claims are granted", len(granted), len(ids))
	}
	b.claims <- granted
	return granted
}

// settle lets the worker be done with all it can do within a while.
func (b *bench) settle(d time.Duration) []fsm.Command {
	<-time.After(d)
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.sent
	b.sent = nil
	return out
}

// News leave at once, each cluster's alone; rounds without any are gathered and travel as one command.
func TestWorkerGathersWhatIsUnchanged(t *testing.T) {
	p := &prober{report: wellReport, takes: 10 * time.Millisecond}
	atWork(t, p, []int{2, 2, 2, 2, 2}, func(t *testing.T, b *bench, ids []uint64) {
		b.grant(ids...)
		sent := b.settle(15 * time.Millisecond)
		if len(sent) != 5 {
			t.Fatalf("%d commands with news, want 5 at once", len(sent))
		}
		b.grant(ids...)
		if sent = b.settle(40 * time.Millisecond); len(sent) > 0 {
			t.Fatalf("%d commands before the others could join them", len(sent))
		}
		sent = b.settle(60 * time.Millisecond)
		done, ok := sent[0].(*fsm.RefreshUnchanged)
		if len(sent) != 1 || !ok || len(done.Groups) != 1 || len(done.Groups[0].Clusters) != 5 {
			t.Fatalf("sent %d commands, the first %+v", len(sent), sent[0])
		}
		for range b.state.Read().Claims() {
			t.Error("a claim is still open")
		}
		if p.asked["c0/n0"] != 2 {
			t.Errorf("a node was asked %d times for two claims", p.asked["c0/n0"])
		}
	})
	if p.closed != 1 {
		t.Errorf("the prober was closed %d times", p.closed)
	}
}

// A claim that is not open any more is not worked on: no node is asked for it.
func TestWorkerLeavesClosedClaims(t *testing.T) {
	p := &prober{report: wellReport}
	atWork(t, p, []int{2}, func(t *testing.T, b *bench, ids []uint64) {
		old := b.grant(ids...)
		b.settle(time.Second)
		asked := p.asked["c0/n0"]
		b.claims <- old
		if sent := b.settle(time.Minute); len(sent) > 0 || p.asked["c0/n0"] != asked {
			t.Errorf("%d commands and %d polls for a closed claim", len(sent), p.asked["c0/n0"]-asked)
		}
	})
}

// A worker that stops reports nothing of rounds under way, and its polls end with it.
func TestWorkerStopsInMidRound(t *testing.T) {
	p := &prober{report: wellReport, takes: time.Hour}
	var used *bench
	atWork(t, p, []int{2}, func(_ *testing.T, b *bench, ids []uint64) {
		used = b
		b.grant(ids...)
		b.settle(time.Second)
	})
	if sent := used.commands(); len(sent) > 0 {
		t.Errorf("%d commands by a worker that was stopped", len(sent))
	}
}

// A base that keeps moving is compared anew three times, each with the same reports; then the claim is given back.
func TestWorkerGivesUpOnABaseThatKeepsMoving(t *testing.T) {
	p := &prober{report: wellReport}
	atWork(t, p, []int{2}, func(t *testing.T, b *bench, ids []uint64) {
		b.answer = func(c fsm.Command) (fsm.Result, error) {
			if _, ok := c.(*fsm.RefreshComplete); ok {
				return fsm.Result{Error: fsm.Errorf(fsm.CodeStale, "moved").With("index", "4711")}, nil
			}
			return b.apply(c).Results[0], nil
		}
		claim := b.grant(ids...)[0]
		sent := b.settle(time.Second)
		if len(sent) != 4 {
			t.Fatalf("%d commands, want three tries and an abandon", len(sent))
		}
		for i, c := range sent[:3] {
			if done := c.(*fsm.RefreshComplete); done.Again != (i > 0) || len(done.Facts) == 0 {
				t.Errorf("try %d: again %v, %d facts", i, done.Again, len(done.Facts))
			}
		}
		back, ok := sent[3].(*fsm.ClaimAbandon)
		if !ok || len(back.Claims) != 1 || back.Claims[0] != claim.Ticket() {
			t.Errorf("in the end it sends %+v", sent[3])
		}
		if len(b.waited) != 3 || b.waited[0] != 4711 || p.asked["c0/n0"] != 1 {
			t.Errorf("it waited for %v and asked %d times", b.waited, p.asked["c0/n0"])
		}
	})
}

// When a prober's third party fails, the refresh fails and no node changes, whatever it brought.
func TestThirdPartyFails(t *testing.T) {
	p := &thirdParty{report: wellReport}
	atWork(t, p, []int{2}, func(t *testing.T, b *bench, ids []uint64) {
		subject := b.grant(ids...)[0].Subject
		b.settle(time.Second)
		before := b.state.Read().Meta().Seq
		p.failed = errors.New("consul has no leader")
		p.report = func(t refresh.Target) fsm.Report { return fsm.Unreachable(t.Node, fsm.ReasonTimeout, "") }
		for range 5 {
			b.grant(ids...)
			b.settle(time.Second)
		}
		r := b.state.Read()
		if last := r.Schedule(subject).Last; last.Outcome != fsm.OutcomeFailed || last.Error != "consul has no leader" {
			t.Errorf("the refresh ended with %+v", last)
		}
		if r.Meta().Seq != before || !r.Schedule(subject).Notes.IsZero() {
			t.Errorf("%d events and the notes %+v", r.Meta().Seq-before, r.Schedule(subject).Notes)
		}
	})
}

// A silent node takes as long as the timeout allows, and delays no other cluster.
func TestSilentNodeDelaysNobodyElse(t *testing.T) {
	p := &prober{report: wellReport}
	slow := &slowFor{prober: p, cluster: "c0"}
	atWork(t, slow, []int{3, 3}, func(t *testing.T, b *bench, ids []uint64) {
		b.grant(ids...)
		if sent := b.settle(10 * time.Millisecond); len(sent) != 1 || sent[0].(*fsm.RefreshComplete).Cluster != ids[1] {
			t.Fatalf("%d completions beside a silent cluster", len(sent))
		}
		sent := b.settle(3 * time.Second)
		if len(sent) != 1 || sent[0].(*fsm.RefreshComplete).Notes.Failure("n0") == nil {
			t.Fatalf("%d completions after the timeout", len(sent))
		}
	})
}

// slowFor is a prober whose nodes of one cluster never answer.
type slowFor struct {
	*prober
	cluster string
}

// Probe is refresh.Prober's.
func (s *slowFor) Probe(ctx context.Context, t refresh.Target) fsm.Report {
	if t.Cluster == s.cluster {
		<-ctx.Done()
		return t.Failed(context.Cause(ctx))
	}
	return s.prober.Probe(ctx, t)
}

// A prober may ask at another port than the one a node is listed with, as those of stores with a port for their metrics do.
func TestProbersMayAskAtAnotherPort(t *testing.T) {
	p := &prober{report: func(t refresh.Target) fsm.Report {
		r := wellReport(t)
		r.Version = t.HostPort()
		t.Port = 8222
		r.Kind = t.HostPort()
		return r
	}}
	atWork(t, p, []int{1}, func(t *testing.T, b *bench, ids []uint64) {
		b.round(ids...)
		n := b.state.Read().Node(ids[0], "n0")
		if n.Said.Version != "127.0.0.1:1000" || n.Said.Kind != "127.0.0.1:8222" {
			t.Errorf("listed at %s, it is asked at %s", n.Said.Version, n.Said.Kind)
		}
	})
}

// running runs a worker in a bubble until the test ends.
func running(t *testing.T, w *refresh.Worker) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the worker ended with: %v", err)
		}
		if n := w.Polls(); n > 0 {
			t.Errorf("%d polls under way after its end", n)
		}
	})
}
