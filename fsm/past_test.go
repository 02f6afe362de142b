package fsm_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/musterhq/muster/fsm"
)

// closing is one way in which a claim ends: its command, and what is then remembered beside who, when and why it was claimed.
type closing struct {
	why   string
	end   func(l *log, c *fsm.Claim, w fsm.Work) fsm.Command
	made  fsm.Work // of the command; Took, Error and Records may be added to it
	kind  fsm.Kind
	calls string
}

func changed(l *log, c *fsm.Claim, w fsm.Work) fsm.Command {
	base := l.state.Read().ClusterByID(c.Subject.ID)
	f := fsm.Fact{
		Type: fsm.ClusterSettingsChanged, Before: &fsm.SettingsPart{Settable: base.Settings},
		After: &fsm.SettingsPart{Settable: fsm.Settable{Group: "g" + itoa(l.index)}},
	}
	return &fsm.RefreshComplete{
		Cluster: c.Subject.ID, Token: c.Token, Last: true, Base: base.Index, Took: w.Took, Facts: []fsm.Fact{f},
	}
}

func whole(l *log, c *fsm.Claim, w fsm.Work) fsm.Command {
	return &fsm.RefreshComplete{
		Cluster: c.Subject.ID, Token: c.Token, Last: true, Base: l.state.Read().ClusterByID(c.Subject.ID).Index,
		Took: w.Took, Error: w.Error,
	}
}

func batched(l *log, c *fsm.Claim, w fsm.Work) fsm.Command {
	u := &fsm.RefreshUnchanged{AsOf: l.index}
	u.Add(c.Subject.ID, c.Token, w.Took)
	return u
}

func abandoned(_ *log, c *fsm.Claim, w fsm.Work) fsm.Command {
	return &fsm.ClaimAbandon{Claims: []fsm.Ticket{c.Ticket()}, Error: w.Error}
}

func expired(_ *log, c *fsm.Claim, w fsm.Work) fsm.Command {
	return &fsm.ClaimExpire{Peer: c.Peer, Reason: w.Error, Claims: []fsm.Ticket{c.Ticket()}}
}

// ran is the last part of a run.
func ran(o fsm.RunOutcome) func(*log, *fsm.Claim, fsm.Work) fsm.Command {
	return func(l *log, c *fsm.Claim, w fsm.Work) fsm.Command {
		o := o
		o.Took, o.Error, o.Records, o.Hash = w.Took, w.Error, w.Records, w.Hash
		return &fsm.RunComplete{
			Discovery: c.Subject.ID, Settings: l.state.Read().DiscoveryByID(c.Subject.ID).Settings, Token: c.Token, Outcome: &o,
		}
	}
}

// held is what a run keeps back.
var held = &fsm.Held{Hash: "h", Nodes: []fsm.NodeRef{{Cluster: "c", Node: "a"}}, Owned: 1, Count: 1}

func released() *fsm.Held { h := *held; h.Released = true; return &h }

// closings are all ways in which the end of a claim is remembered.
var closings = []closing{
	{fsm.WhyDue, changed, fsm.Work{Took: 31, Outcome: fsm.OutcomeChanged}, fsm.KindRefresh, "changed"},
	{fsm.WhyAsked, whole, fsm.Work{Took: 7, Outcome: fsm.OutcomeUnchanged}, fsm.KindRefresh, "unchanged"},
	{fsm.WhyConfirm, whole, fsm.Work{Outcome: fsm.OutcomeUnchanged}, fsm.KindRefresh, "confirming"},
	{fsm.WhyOdd, whole, fsm.Work{Took: 1, Outcome: fsm.OutcomeFailed, Error: "consul is away"}, fsm.KindRefresh, "failed"},
	{fsm.WhyDue, batched, fsm.Work{Took: 12, Outcome: fsm.OutcomeUnchanged}, fsm.KindRefresh, "unchanged in a batch"},
	{fsm.WhyConfirm, batched, fsm.Work{Took: 12, Outcome: fsm.OutcomeUnchanged}, fsm.KindRefresh, "confirming in a batch"},
	{fsm.WhyDue, abandoned, fsm.Work{Outcome: fsm.OutcomeGivenBack, Error: "stopping"}, fsm.KindRefresh, "given back"},
	{fsm.WhyOdd, expired, fsm.Work{Outcome: fsm.OutcomeExpired, Error: "ttl"}, fsm.KindRefresh, "expired"},
	{fsm.WhyDue, ran(fsm.RunOutcome{Changed: true}), fsm.Work{Took: 3, Outcome: fsm.OutcomeChanged, Records: 9, Hash: "x"}, fsm.KindRun, "changed run"},
	{fsm.WhyAsked, ran(fsm.RunOutcome{}), fsm.Work{Took: 1 << 33, Outcome: fsm.OutcomeUnchanged, Records: 1 << 30}, fsm.KindRun, "unchanged run"},
	{fsm.WhyDue, ran(fsm.RunOutcome{}), fsm.Work{Outcome: fsm.OutcomeFailed, Error: "no leader"}, fsm.KindRun, "failed run"},
	{fsm.WhyDue, ran(fsm.RunOutcome{Held: held, Changed: true}), fsm.Work{Outcome: fsm.OutcomeHeld}, fsm.KindRun, "held run"},
	{fsm.WhyDue, ran(fsm.RunOutcome{Held: released(), Changed: true}), fsm.Work{Outcome: fsm.OutcomeChanged}, fsm.KindRun, "run let pass"},
	{fsm.WhyNudge, ran(fsm.RunOutcome{Changed: true}), fsm.Work{Took: 2, Outcome: fsm.OutcomeChanged, Records: 1}, fsm.KindRun, "nudged run"},
	{fsm.WhyNudge, ran(fsm.RunOutcome{}), fsm.Work{Outcome: fsm.OutcomeFailed, Error: "late"}, fsm.KindRun, "failed nudged run"},
	{fsm.WhyNudge, abandoned, fsm.Work{Outcome: fsm.OutcomeGivenBack, Error: "stopping"}, fsm.KindRun, "run given back"},
	{fsm.WhyNudge, expired, fsm.Work{Outcome: fsm.OutcomeExpired, Error: "peer_gone"}, fsm.KindRun, "run expired"},
}

// last says whether the end is also told as the last one: a nudged run reads only a part, and so is not, unless it never ended.
func (c *closing) last() bool {
	return c.why != fsm.WhyNudge || c.made.Outcome == fsm.OutcomeGivenBack || c.made.Outcome == fsm.OutcomeExpired
}

// closes claims one subject for a peer and ends the claim so. It returns what is to be remembered.
func (l *log) closes(c *closing, made fsm.Work, peer string) (fsm.Subject, fsm.Work) {
	l.t.Helper()
	claim := l.ok(&fsm.ClaimGrant{Kind: c.kind, Peer: peer, TTL: fsm.Minute, Reason: c.why, IDs: []uint64{1}}).Claim
	granted := l.now
	if a := l.entry(c.end(l, claim, made)); len(a.Closed) != 1 || a.Results[0].Error != nil {
		l.t.Fatalf("%s: closed %+v, %v", c.calls, a.Closed, a.Results[0].Error)
	}
	made.At, made.Peer, made.Reason = granted, peer, c.why
	return claim.Subject, made
}

// TestPastRemembers checks that each end of a claim is remembered with who, when, how long and why, and which are told last.
func TestPastRemembers(t *testing.T) {
	for i := range closings {
		c := &closings[i]
		t.Run(c.calls, func(t *testing.T) {
			l := newLog(t)
			l.cluster(l.discovery("d"), "c", "a")
			was := l.schedule(fsm.Subject{Kind: c.kind, ID: 1})
			subject, want := l.closes(c, c.made, "q")
			s := l.schedule(subject)
			last := was.Last
			if c.last() {
				last = want
			}
			if diff := cmp.Diff(last, s.Last); diff != "" {
				t.Errorf("last (-want +got):\n%s", diff)
			}
			want.Hash = "" // of what was read is kept of the last one only
			if diff := cmp.Diff(append([]fsm.Work{want}, was.Past.Work()...), s.Past.Work()); diff != "" {
				t.Errorf("past (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPastKeepsTheLast checks that whatever ends came, the last twenty read back, the latest first, and their errors cut
// short; and that a snapshot holds them.
func TestPastKeepsTheLast(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLog(t)
		l.cluster(l.discovery("d"), "c", "a")
		want := map[fsm.Subject][]fsm.Work{}
		for _, kind := range []fsm.Kind{fsm.KindRun, fsm.KindRefresh} {
			s := fsm.Subject{Kind: kind, ID: 1}
			want[s] = l.schedule(s).Past.Work()
		}
		for range rapid.IntRange(0, 50).Draw(rt, "ends") {
			c := rapid.SampledFrom(closings).Draw(rt, "end")
			made := c.made
			if made.Took > 0 {
				made.Took = fsm.Duration(rapid.Int64Range(0, 1<<31).Draw(rt, "took"))
			}
			if made.Error != "" {
				runes := rapid.SampledFrom([]int{1, 5, 60, 120, 250}).Draw(rt, "runes")
				made.Error = rapid.StringOfN(rapid.RuneFrom([]rune("aé世😀 ")), runes, runes, -1).Draw(rt, "error")
			}
			subject, w := l.closes(&c, made, rapid.SampledFrom(peerIDs).Draw(rt, "peer"))
			w.Hash, w.Error = "", firstBytes(w.Error, 200)
			want[subject] = append([]fsm.Work{w}, want[subject]...)
		}
		read := restored(rt, l.snapshot()).Read()
		for subject, past := range want {
			past = past[:min(len(past), fsm.MaxPast)]
			got := l.schedule(subject).Past
			if diff := cmp.Diff(past, got.Work()); diff != "" {
				rt.Fatalf("past of the %s (-want +got):\n%s", subject.Kind, diff)
			}
			if !slices.Equal(got, read.Schedule(subject).Past) {
				rt.Fatal("a snapshot keeps another past")
			}
		}
	})
}

// firstBytes is as many whole runes of s as fit.
func firstBytes(s string, most int) string {
	n := 0
	for i, r := range s {
		if i+len(string(r)) > most {
			break
		}
		n = i + len(string(r))
	}
	return s[:n]
}

// TestPastIsPacked checks that what is remembered of a usual round takes few bytes, since there are as many of them as
// clusters times twenty.
func TestPastIsPacked(t *testing.T) {
	l, subject := scheduled(t)
	unchanged := slices.IndexFunc(closings, func(c closing) bool { return c.calls == "unchanged in a batch" })
	for range 2 * fsm.MaxPast {
		l.closes(&closings[unchanged], closings[unchanged].made, strings.Repeat("p", 26))
	}
	if size := len(l.schedule(subject).Past); size > fsm.MaxPast*40 {
		t.Errorf("%d unchanged rounds take %d bytes", fsm.MaxPast, size)
	}
}

// TestPastOfAnything checks that bytes which nobody wrote are read to an end, without a panic, and are no more rows than bytes.
func TestPastOfAnything(t *testing.T) {
	l := newLog(t)
	l.cluster(l.discovery("d"), "c", "a")
	for i := range closings {
		l.closes(&closings[i], closings[i].made, "q")
	}
	good := l.schedule(fsm.Subject{Kind: fsm.KindRefresh, ID: 1}).Past
	rapid.Check(t, func(t *rapid.T) {
		p := fsm.Past(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		if rapid.Bool().Draw(t, "nearly good") {
			at := rapid.IntRange(0, len(good)-1).Draw(t, "at")
			p = slices.Concat(good[:at], p, good[at:])
		}
		kept := slices.Clone(p)
		if n := len(p.Work()); n > len(p) || n == 0 && len(p) > 0 {
			t.Fatalf("%d bytes read as %d rows", len(p), n)
		}
		if !slices.Equal(kept, p) {
			t.Fatal("reading changed the bytes")
		}
	})
	for n := range good {
		good[:n].Work()
	}
}
