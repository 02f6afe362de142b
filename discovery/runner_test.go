package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
)

// desk is a runner in a bubble with a leader that is asked by function calls.
type desk struct {
	t       *testing.T
	state   *fsm.State
	source  *place
	claims  chan []*fsm.Claim
	mu      sync.Mutex
	index   uint64
	sent    []fsm.Command
	before  func(c fsm.Command) // called with the desk locked
	lost    int                 // answers to come that are lost on their way
	offline error               // what Propose answers while there is no leader
	lags    bool                // the replica holds what is sent only once it was waited for
	behind  *fsm.Reader         // what it holds until then
	waits   int
}

// place is a source that can be watched.
type place struct {
	mu      sync.Mutex
	records []fsm.Record
	err     error
	takes   time.Duration
	wants   []discovery.Want
	nudge   func(names []string)
	begun   int // watches
	running int
	made    int // backends, one for each config
	closed  int
}

func (p *place) open(fsm.JSON, discovery.Env) (discovery.Backend, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made++
	return p, nil
}

// Read is discovery.Backend's.
func (p *place) Read(ctx context.Context, want discovery.Want) ([]fsm.Record, error) {
	p.mu.Lock()
	p.wants = append(p.wants, want)
	records, err, takes := slices.Clone(p.records), p.err, p.takes
	p.mu.Unlock()
	if takes > 0 {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return records, err
}

// Watch is discovery.Watcher's.
func (p *place) Watch(ctx context.Context, nudge func(names []string)) error {
	p.mu.Lock()
	p.nudge = nudge
	p.begun++
	p.running++
	p.mu.Unlock()
	<-ctx.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	return ctx.Err()
}

// Close is io.Closer's.
func (p *place) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed++
	return nil
}

// Propose is discovery.Log's.
func (d *desk) Propose(_ context.Context, c fsm.Command) (fsm.Result, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.offline != nil {
		return fsm.Result{}, d.offline
	}
	d.sent = append(d.sent, c)
	if d.lags && d.behind == nil {
		d.behind = d.state.Read()
	}
	if d.before != nil {
		d.before(c)
	}
	res := d.applyLocked(c)
	if d.lost > 0 { // the way back broke: Propose sends what is fenced again
		d.lost--
		d.sent = append(d.sent, c)
		res = d.applyLocked(c)
	}
	return res, nil
}

// Read is discovery.Replica's.
func (d *desk) Read() *fsm.Reader {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.behind != nil {
		return d.behind
	}
	return d.state.Read()
}

// WaitIndex is discovery.Replica's.
func (d *desk) WaitIndex(context.Context, uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.behind = nil
	d.waits++
	return nil
}

// Take is discovery.Claims's.
func (d *desk) Take(ctx context.Context) ([]*fsm.Claim, error) {
	select {
	case c := <-d.claims:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (d *desk) applyLocked(c fsm.Command) fsm.Result {
	d.index++
	a, err := d.state.Apply(d.index, fsm.Entry(fsm.TimeOf(time.Now()), fsm.Frame(c)))
	if err != nil {
		d.t.Error(err)
		return fsm.Result{}
	}
	for _, granted := range a.Granted {
		if granted.Peer == "a" {
			d.claims <- []*fsm.Claim{granted}
		}
	}
	return a.Results[0]
}

// apply applies a command that must be accepted.
func (d *desk) apply(c fsm.Command) fsm.Result {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	res := d.applyLocked(c)
	if res.Error != nil {
		d.t.Fatalf("%s: %s", fsm.KindName(c), res.Error)
	}
	return res
}

// commands are those the runner sent since the last call, once it has done all it can within a while.
func (d *desk) commands(after time.Duration) []fsm.Command {
	<-time.After(after)
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.sent
	d.sent = nil
	return out
}

// atDesk runs the runner of peer a in a bubble, with peers a and b, of which a leads, and a discovery "d" of a place.
func atDesk(t *testing.T, change func(*fsm.Spec), test func(t *testing.T, d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{t: t, state: fsm.NewState(), source: &place{}, claims: make(chan []*fsm.Claim, 16), index: 10}
		d.apply(&fsm.GroupCreate{Group: "g", Epoch: "e"})
		for _, id := range []string{"a", "b"} {
			d.apply(&fsm.PeerSet{Peer: fsm.Peer{ID: id, Name: "peer-" + id, Status: fsm.PeerAlive}})
		}
		d.apply(&fsm.LeaderChange{ID: "a", Name: "peer-a", Term: 1})
		d.set(change)
		r, err := discovery.NewRunner(discovery.RunnerConfig{
			Peer: "a", Claims: d, Log: d, Replica: d, Registerer: prometheus.NewRegistry(),
			Backends: discovery.Backends{
				"file":   d.source.open,
				"consul": d.source.open,
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		synctest.Wait()
		test(t, d)
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the runner ended with: %v", err)
		}
		if p := d.source; p.running > 0 || p.closed != p.made {
			t.Errorf("%d watches go on, %d of %d backends were closed", p.running, p.closed, p.made)
		}
	})
}

// set applies the discovery "d".
func (d *desk) set(change func(*fsm.Spec)) {
	d.t.Helper()
	spec := fsm.DefaultSpec()
	spec.Backend, spec.Cluster = "consul", "{{.cluster}}"
	if change != nil {
		change(&spec)
	}
	d.apply(&fsm.DiscoveryApply{Name: "d", Spec: spec})
}

func (d *desk) row() *fsm.Discovery { return d.state.Read().Discovery("d") }

func (d *desk) subject() fsm.Subject { return fsm.Subject{Kind: fsm.KindRun, ID: d.row().ID} }

// run has the runner do a run.
func (d *desk) run(reason string, names ...string) {
	d.t.Helper()
	d.apply(&fsm.ClaimGrant{
		Kind: fsm.KindRun, Peer: "a", TTL: 75 * fsm.Second, Reason: reason, IDs: []uint64{d.row().ID}, Names: names,
	})
}

// listed are n clusters of m nodes.
func listed(n, m int) []fsm.Record {
	var out []fsm.Record
	for c := range n {
		for i := range m {
			out = append(out, fsm.Record{
				Cluster: fmt.Sprintf("c%03d", c), Node: fmt.Sprintf("n%d", i), Address: "10.0.0.1", Port: 1000 + i,
			})
		}
	}
	return out
}

func nodesIn(r *fsm.Reader) (n int) {
	for c := range r.Clusters("") {
		for range r.Nodes(c.ID) {
			n++
		}
	}
	return n
}

// A run brings in what it read and closes its claim; the next one, with nothing new, says so in one command.
func TestRunBringsInWhatItRead(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		d.source.records = listed(3, 4)
		d.run(fsm.WhyDue)
		if n := len(d.commands(time.Second)); n != 1 {
			t.Errorf("%d commands for a small run", n)
		}
		if r := d.Read(); nodesIn(r) != 12 || r.Claim(d.subject()) != nil || r.Schedule(d.subject()).Last.Outcome != fsm.OutcomeChanged {
			t.Errorf("%d nodes, claim %+v, last %+v", nodesIn(r), r.Claim(d.subject()), r.Schedule(d.subject()).Last)
		}
		before := d.Read().Meta().Seq
		d.run(fsm.WhyDue)
		sent := d.commands(time.Second)
		if done := sent[0].(*fsm.RunComplete); len(sent) != 1 || len(done.Enrolments) > 0 || done.Outcome.Records != 12 {
			t.Errorf("an unchanged run sends %d commands, the first %+v", len(sent), done)
		}
		if r := d.Read(); r.Meta().Seq != before || r.Schedule(d.subject()).Last.Outcome != fsm.OutcomeUnchanged {
			t.Errorf("%d events, last %+v", r.Meta().Seq-before, r.Schedule(d.subject()).Last)
		}
	})
}

// A large run travels in parts of at most 64 KiB; clusters that move meanwhile are compared and sent again, and a part whose
// answer was lost does no harm.
func TestLargeRunInParts(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		d.source.records = listed(600, 5)
		moved, parts := 0, 0
		d.before = func(c fsm.Command) {
			part, ok := c.(*fsm.RunComplete)
			if size := len(fsm.Frame(c)); size > 70<<10 {
				t.Errorf("a part of %d bytes", size)
			}
			if !ok || part.Part == 0 || moved > 20 {
				return
			}
			parts++
			for _, e := range part.Enrolments { // an operator is there first
				if moved++; e.ID == 0 {
					d.applyLocked(&fsm.ClusterChange{Changes: []fsm.Change{{Name: e.Cluster, Facts: []fsm.Fact{
						{Type: fsm.ClusterDiscovered, After: &fsm.ClusterPart{}},
						{Type: fsm.ClusterSettingsChanged, Before: &fsm.SettingsPart{}, After: &fsm.SettingsPart{Settable: fsm.Settable{Group: "mine"}}},
					}}}})
				}
				if moved%8 == 0 {
					break
				}
			}
		}
		d.lost = 2
		d.run(fsm.WhyDue)
		sent := d.commands(time.Second)
		r := d.Read()
		if len(sent) < 4 || parts == 0 || moved == 0 {
			t.Errorf("%d parts, %d clusters moved", len(sent), moved)
		}
		if nodesIn(r) != 3000 || r.Claim(d.subject()) != nil || r.Schedule(d.subject()).Last.Outcome != fsm.OutcomeChanged {
			t.Errorf("%d of 3000 nodes, claim %+v, last %+v", nodesIn(r), r.Claim(d.subject()), r.Schedule(d.subject()).Last)
		}
		mine := 0
		for c := range r.Clusters("") {
			if c.Settings.Group == "mine" {
				mine++
			}
		}
		if mine != moved {
			t.Errorf("%d of %d clusters kept what an operator said", mine, moved)
		}
	})
}

// A source that fails, hangs, or lists something impossible changes nothing, and the run says why.
func TestFailedRunChangesNothing(t *testing.T) {
	for _, c := range []struct {
		name   string
		breaks func(p *place)
		says   string
	}{
		{"error", func(p *place) { p.records, p.err = nil, errors.New("no leader") }, "no leader"},
		{"silence", func(p *place) { p.records, p.takes = nil, time.Hour }, "the source took longer than 1m0s"},
		{"abuse", func(p *place) {
			p.records, p.err = nil, errors.New("no \x1b[2J\u202eleader\n"+strings.Repeat("x", 1<<20))
		}, "no ?[2J?leader; xxx"},
		{"no name", func(p *place) { p.records[0].Cluster = "" }, "cluster"},
	} {
		t.Run(c.name, func(t *testing.T) {
			atDesk(t, nil, func(t *testing.T, d *desk) {
				d.source.records = listed(2, 2)
				d.run(fsm.WhyDue)
				d.commands(time.Second)
				before := d.Read().Meta().Seq
				d.source.records = listed(2, 2)
				c.breaks(d.source)
				d.run(fsm.WhyDue)
				sent := d.commands(61 * time.Second)
				r := d.Read()
				var got []fsm.EventType
				for e := range r.Events(before) {
					got = append(got, e.Type)
				}
				if diff := cmp.Diff([]fsm.EventType{fsm.DiscoveryFailed}, got); diff != "" || len(sent) != 1 || nodesIn(r) != 4 {
					t.Errorf("%d commands, %d nodes, events (-want +got):\n%s", len(sent), nodesIn(r), diff)
				}
				if last := r.Schedule(d.subject()).Last; last.Outcome != fsm.OutcomeFailed || !contains(last.Error, c.says) || len(last.Error) > fsm.MaxFailure {
					t.Errorf("the run ended with %+v", last)
				}
			})
		})
	}
}

// A nudged run reads only what it is told, adds and changes, and takes nothing for absent.
func TestNudgedRunReadsOnlyItsNames(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		d.source.records = listed(4, 2)
		d.run(fsm.WhyDue)
		d.commands(time.Second)
		d.source.records = listed(5, 2)[8:] // only a new cluster
		d.run(fsm.WhyNudge, "c004")
		d.commands(time.Second)
		if want := d.source.wants[len(d.source.wants)-1]; !cmp.Equal(want.Names, []string{"c004"}) {
			t.Errorf("it read %v", want.Names)
		}
		r := d.Read()
		for c := range r.Clusters("") {
			for l := range r.Listings(c.ID) {
				if l.AbsentSince != 0 {
					t.Errorf("%s/%s is absent by a nudged run", c.Name, l.Node)
				}
			}
		}
		if nodesIn(r) != 10 {
			t.Errorf("%d nodes", nodesIn(r))
		}
	})
}

// A run whose discovery is applied anew reports in vain; one that was closed before it began is not done at all.
func TestRunOfAnotherSettingIsRefused(t *testing.T) {
	atDesk(t, nil, func(t *testing.T, d *desk) {
		d.source.records, d.source.takes = listed(2, 2), time.Second
		d.run(fsm.WhyDue)
		d.commands(100 * time.Millisecond)
		d.set(func(s *fsm.Spec) { s.MaxShrink = 10 })
		if sent := d.commands(2 * time.Second); len(sent) != 1 || nodesIn(d.Read()) != 0 {
			t.Errorf("%d commands, %d nodes by a run of an old setting", len(sent), nodesIn(d.Read()))
		}
		d.apply(&fsm.ClaimGrant{
			Kind: fsm.KindRun, Peer: "b", TTL: fsm.Minute, Reason: fsm.WhyDue, IDs: []uint64{d.row().ID},
		})
		old := &fsm.Claim{Subject: d.subject(), Token: 12, Peer: "a", TTL: fsm.Minute}
		reads := len(d.source.wants)
		d.claims <- []*fsm.Claim{old}
		if sent := d.commands(2 * time.Second); len(sent) != 0 || len(d.source.wants) != reads {
			t.Errorf("%d commands and %d reads for a closed claim", len(sent), len(d.source.wants)-reads)
		}
	})
}

// The run of a deleted discovery reads nothing, and takes its records, nodes and row away.
func TestRunOfDeletedDiscovery(t *testing.T) {
	atDesk(t, func(s *fsm.Spec) { s.OnDelete = fsm.OnDeleteRemove }, func(t *testing.T, d *desk) {
		d.source.records = listed(700, 3)
		d.run(fsm.WhyDue)
		d.commands(time.Second)
		reads, row := len(d.source.wants), d.row()
		d.apply(&fsm.DiscoveryDelete{Name: "d"})
		d.apply(&fsm.ClaimGrant{Kind: fsm.KindRun, Peer: "a", TTL: 75 * fsm.Second, Reason: fsm.WhyDelete, IDs: []uint64{row.ID}})
		d.commands(time.Second)
		if r := d.Read(); r.DiscoveryByID(row.ID) != nil || nodesIn(r) != 0 || len(d.source.wants) != reads {
			t.Errorf("row %v, %d nodes, %d reads", r.DiscoveryByID(row.ID) != nil, nodesIn(r), len(d.source.wants)-reads)
		}
	})
}
