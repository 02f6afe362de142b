package fsm_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strconv"
	"testing"

	"github.com/musterhq/muster/fsm"
)

// log applies commands one entry each and keeps the index.
type log struct {
	t     testing.TB
	state *fsm.State
	index uint64
	now   fsm.Time
}

func newLog(t testing.TB) *log {
	t.Helper()
	l := &log{t: t, state: fsm.NewState(), index: 10, now: 1_000_000}
	l.apply(&fsm.GroupCreate{Group: "g", Epoch: "e1"})
	return l
}

// entry applies one entry of commands a second after the last.
func (l *log) entry(commands ...fsm.Command) *fsm.Applied {
	l.t.Helper()
	l.index++
	l.now += 1000
	a, err := l.state.Apply(l.index, fsm.Entry(l.now, frames(commands)...))
	if err != nil {
		l.t.Fatal(err)
	}
	return a
}

func (l *log) apply(commands ...fsm.Command) []fsm.Result {
	l.t.Helper()
	return l.entry(commands...).Results
}

// ok applies one command that must be accepted.
func (l *log) ok(c fsm.Command) fsm.Result {
	l.t.Helper()
	res := l.apply(c)[0]
	if res.Error != nil {
		l.t.Fatalf("%s: %s", fsm.KindName(c), res.Error)
	}
	return res
}

// refused applies one command that must be refused with a code and leave everything as it was.
func (l *log) refused(c fsm.Command, code fsm.Code) fsm.Result {
	l.t.Helper()
	before := content(l.t, l.snapshot())
	res := l.apply(c)[0]
	if res.Error == nil || res.Error.Code != code {
		l.t.Fatalf("%s: refused with %v, want %s", fsm.KindName(c), res.Error, code)
	}
	if !bytes.Equal(before, content(l.t, l.snapshot())) {
		l.t.Fatalf("%s was refused and changed the state", fsm.KindName(c))
	}
	return res
}

func (l *log) snapshot() []byte { l.t.Helper(); return snapshot(l.t, l.state) }

// discovery applies a discovery and returns it.
func (l *log) discovery(name string) *fsm.Discovery {
	l.t.Helper()
	l.ok(&fsm.DiscoveryApply{Name: name, Spec: spec(), Cause: fsm.Cause{Kind: fsm.CauseOperator}})
	return l.state.Read().Discovery(name)
}

// claim grants the claim of one subject to peer p.
func (l *log) claim(kind fsm.Kind, id uint64, why string) *fsm.Claim {
	l.t.Helper()
	return l.ok(&fsm.ClaimGrant{Kind: kind, Peer: "p", TTL: fsm.Minute, Reason: why, IDs: []uint64{id}}).Claim
}

// cluster brings in a cluster of commissioned nodes by a run of discovery d and returns it.
func (l *log) cluster(d *fsm.Discovery, name string, nodes ...string) *fsm.Cluster {
	l.t.Helper()
	claim := l.claim(fsm.KindRun, d.ID, fsm.WhyAsked)
	l.ok(&fsm.RunComplete{
		Discovery: d.ID, Settings: d.Settings, Token: claim.Token, Enrolments: []fsm.Enrolment{l.enrolment(d, name, nodes...)},
		Outcome: &fsm.RunOutcome{Records: len(nodes), Changed: true},
	})
	return l.state.Read().Cluster(name)
}

// enrolment is what a full read of these nodes finds about a cluster.
func (l *log) enrolment(d *fsm.Discovery, name string, nodes ...string) fsm.Enrolment {
	reading := fsm.Reading{Discovery: d.ID, Cluster: name, Now: l.now, Full: true}
	for i, n := range nodes {
		reading.Records = append(reading.Records, fsm.Record{Cluster: name, Node: n, Address: "10.0.0.1", Port: 1000 + i})
	}
	return fsm.Enlist(roll(l.state.Read(), name, d.ID), reading)
}

// round is the completion of a full round in which the nodes of a cluster answer so.
func (l *log) round(claim *fsm.Claim, reports ...fsm.Report) *fsm.RefreshComplete {
	r := l.state.Read()
	view, s := r.View(claim.Subject.ID), r.Schedule(claim.Subject)
	facts, notes := fsm.Diff(view, s.Notes, fsm.Round{
		Now: claim.Granted, Peer: claim.Peer, Full: claim.Full(), Spec: fsm.DefaultRefresh(), Reports: reports,
	})
	return &fsm.RefreshComplete{
		Cluster: claim.Subject.ID, Token: claim.Token, Last: true, Base: view.Cluster.Index, Facts: facts, Notes: notes,
	}
}

// roll is what a replica holds about a cluster, for a run of a discovery.
func roll(r *fsm.Reader, cluster string, discovery uint64) *fsm.Roll {
	out := &fsm.Roll{
		View:        &fsm.View{Nodes: map[string]*fsm.Node{}},
		Discoveries: map[uint64]*fsm.Discovery{discovery: r.DiscoveryByID(discovery)},
	}
	c := r.Cluster(cluster)
	if c == nil {
		return out
	}
	out.View = r.View(c.ID)
	for l := range r.Listings(c.ID) {
		out.Listings = append(out.Listings, *l)
		out.Discoveries[l.Discovery] = r.DiscoveryByID(l.Discovery)
	}
	return out
}

func frames(commands []fsm.Command) [][]byte {
	out := make([][]byte, 0, len(commands))
	for _, c := range commands {
		out = append(out, fsm.Frame(c))
	}
	return out
}

type failer interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func snapshot(t failer, s *fsm.State) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Read().WriteSnapshot(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func restored(t failer, snap []byte) *fsm.State {
	t.Helper()
	s := fsm.NewState()
	if err := s.Restore(bytes.NewReader(snap)); err != nil {
		t.Fatal(err)
	}
	return s
}

// frame is one frame of a snapshot with where it begins and how long it is, head included.
type frame struct {
	number   byte
	at, size int
	body     []byte
}

func framesOf(t failer, snap []byte) []frame {
	t.Helper()
	out, whole := split(snap)
	if !whole {
		t.Fatalf("a snapshot of %d bytes ends within a frame", len(snap))
	}
	return out
}

// split is the frames of a snapshot up to the first that is not whole.
func split(snap []byte) (out []frame, whole bool) {
	for at := 0; at < len(snap); {
		size, n := binary.Uvarint(snap[at+1:])
		if n <= 0 || size > uint64(len(snap)-at-1-n) {
			return out, false
		}
		f := frame{number: snap[at], at: at, size: 1 + n + int(size)}
		f.body = snap[at+1+n : at+f.size]
		at += f.size
		out = append(out, f)
	}
	return out, true
}

// content is a snapshot without what every entry moves: the header, the row of the state itself and the end.
func content(t failer, snap []byte) []byte {
	t.Helper()
	var out []byte
	for _, f := range framesOf(t, snap) {
		if f.number != 0 && f.number != 1 && f.number != 255 {
			out = append(out, snap[f.at:f.at+f.size]...)
		}
	}
	return out
}

// picture is all of a view but ids and versions, which are the rows' and not the events'.
func picture(v *fsm.View) string {
	if v == nil {
		return picture(&fsm.View{})
	}
	out := fsm.View{Nodes: map[string]*fsm.Node{}}
	if v.Cluster != nil {
		c := *v.Cluster
		c.ID, c.Name, c.Index = 0, "", 0
		out.Cluster = &c
	}
	for id, n := range v.Nodes {
		row := *n
		row.Cluster, row.Index = 0, 0
		out.Nodes[id] = &row
	}
	raw, err := json.Marshal(&out)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

func spec() fsm.Spec {
	s := fsm.DefaultSpec()
	s.Backend = "file"
	if err := s.Validate(); err != nil {
		panic(err)
	}
	return s
}

// forget is the change that takes a cluster's only node away, and the cluster with it.
func (l *log) forget(cluster, node string) fsm.Change {
	r := l.state.Read()
	v := r.View(r.Cluster(cluster).ID)
	change := fsm.Change{Cluster: v.Cluster.ID, Base: v.Cluster.Index}
	for _, to := range []fsm.Lifecycle{fsm.Decommissioned, fsm.Forgotten} {
		f, err := fsm.Transition(v.Nodes[node], to, true)
		if err != nil {
			l.t.Fatal(err)
		}
		change.Facts = append(change.Facts, *f)
		if err := fsm.Fold(v, *f); err != nil {
			l.t.Fatal(err)
		}
	}
	change.Facts = append(change.Facts, fsm.Fact{Type: fsm.ClusterRemoved, Before: &fsm.ClusterPart{
		Health: v.Cluster.Health, Reasons: v.Cluster.Reasons, Versions: v.Cluster.Versions, Primaries: v.Cluster.Primaries,
	}})
	return change
}
