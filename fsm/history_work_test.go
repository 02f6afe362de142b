package fsm_test

import (
	"pgregory.net/rapid"

	"github.com/musterhq/muster/fsm"
)

// The work of a history: what claims' holders and operators compute on the lagging replica.

var clusterNames = []string{"c", "f"}

// run draws a part of a run.
func (h *history) run(t *rapid.T, r *fsm.Reader) fsm.Command {
	claim := h.open(t, r, fsm.KindRun)
	if claim == nil {
		return h.grant(t, r, fsm.KindRun)
	}
	d := r.DiscoveryByID(claim.Subject.ID)
	if d == nil {
		return &fsm.RunComplete{Discovery: claim.Subject.ID, Token: claim.Token}
	}
	c := &fsm.RunComplete{
		Discovery: d.ID, Settings: d.Settings, Token: claim.Token,
		Part: h.part(t, claim.Parts), Outcome: &fsm.RunOutcome{Took: 12, Hash: "h"},
	}
	switch rapid.IntRange(0, 12).Draw(t, "run") {
	case 10:
		c.Outcome = nil
	case 11:
		c.Outcome.Error = "no leader"
		return c
	case 12:
		c.Settings--
	}
	h.enrol(t, r, claim, d, c)
	return c
}

// part draws the number of a part: mostly the one that is next.
func (h *history) part(t *rapid.T, next uint32) uint32 {
	switch rapid.IntRange(0, 12).Draw(t, "part") {
	case 11:
		return next + 1
	case 12:
		return 0
	}
	return next
}

func (h *history) enrol(t *rapid.T, r *fsm.Reader, claim *fsm.Claim, d *fsm.Discovery, c *fsm.RunComplete) {
	read := map[string][]fsm.Record{}
	var all []fsm.Record
	nothing := rapid.IntRange(0, 9).Draw(t, "nothing read") == 9
	for _, name := range clusterNames {
		for _, node := range nodeIDs[:3] {
			if !nothing && rapid.IntRange(0, 3).Draw(t, "unlisted") < 3 {
				read[name] = append(read[name], fsm.Record{
					Cluster: name, Node: node, Address: "10.0.0.1", Port: rapid.IntRange(1, 2).Draw(t, "port"),
					Labels: map[string]string{"x": "1", "y": "2"},
				})
			}
		}
		all = append(all, read[name]...)
	}
	verdict := h.judge(r, claim, d, all)
	for _, name := range clusterNames {
		on := roll(r, name, d.ID)
		e := fsm.Enlist(on, fsm.Reading{
			Discovery: d.ID, Cluster: name, Now: claim.Granted, Full: claim.Full(), Hold: verdict.Hold, Records: read[name],
		})
		if d.Deleting {
			e = fsm.Unlist(on, d.ID, claim.Granted)
		}
		if rapid.IntRange(0, 9).Draw(t, "cut") == 9 {
			if part, whole := e.Within(120); !whole {
				e, c.Outcome = part, nil
			}
		}
		e.Facts = h.spoil(t, e.Facts)
		if !e.IsZero() {
			c.Enrolments = append(c.Enrolments, e)
		}
	}
	if n := len(c.Enrolments); n > 0 && rapid.IntRange(0, 9).Draw(t, "twice") == 9 {
		c.Enrolments = append(c.Enrolments, c.Enrolments[n-1])
	}
	if c.Outcome != nil {
		c.Outcome.Records, c.Outcome.Held, c.Outcome.Changed = len(all), verdict.Held, len(c.Enrolments) > 0
	}
}

func (h *history) judge(r *fsm.Reader, claim *fsm.Claim, d *fsm.Discovery, read []fsm.Record) fsm.Verdict {
	if d.Deleting || !claim.Full() {
		return fsm.Verdict{}
	}
	var owned []fsm.Owned
	for l := range r.Listed(d.ID) {
		owned = append(owned, fsm.Owned{
			NodeRef: fsm.NodeRef{Cluster: r.ClusterByID(l.Cluster).Name, Node: l.Node},
			Kept:    r.Node(l.Cluster, l.Node).Word(),
		})
	}
	return fsm.Judge(owned, read, d, claim.Granted)
}

// refresh draws a part of a refresh.
func (h *history) refresh(t *rapid.T, r *fsm.Reader) fsm.Command {
	claim := h.open(t, r, fsm.KindRefresh)
	if claim == nil {
		return h.grant(t, r, fsm.KindRefresh)
	}
	view, s := r.View(claim.Subject.ID), r.Schedule(claim.Subject)
	if view.Cluster == nil || s == nil {
		return &fsm.RefreshComplete{Cluster: claim.Subject.ID, Token: claim.Token, Last: true}
	}
	spec := r.RefreshOf(view.Cluster)
	spec.DownAfter = max(spec.DownAfter, 1)
	round := fsm.Round{
		Now: claim.Granted, Observed: s.Observed, Peer: claim.Peer, Full: claim.Full(), Alone: claim.Alone, Spec: spec,
	}
	for _, id := range view.NodeIDs() {
		if round.Full || rapid.Bool().Draw(t, "asked") {
			round.Reports = append(round.Reports, drawReport(t, id))
		}
	}
	facts, notes := fsm.Diff(view, s.Notes, round)
	c := &fsm.RefreshComplete{
		Cluster: claim.Subject.ID, Token: claim.Token, Part: h.part(t, claim.Parts), Last: true,
		Base: view.Cluster.Index, Facts: h.spoil(t, facts), Notes: notes, Took: 31, Again: rapid.Bool().Draw(t, "again"),
	}
	if n := rapid.IntRange(0, len(c.Facts)).Draw(t, "facts of this part"); rapid.IntRange(0, 3).Draw(t, "parts") == 3 {
		c.Facts, c.Last, c.Notes = c.Facts[:n], false, nil
	}
	switch rapid.IntRange(0, 12).Draw(t, "refresh") {
	case 9:
		c.Error, c.Facts, c.Notes = "consul is away", nil, s.Notes
	case 10:
		c.Base--
	case 11:
		c.ConfirmIn = 500
	case 12:
		c.OddIn = 500
	}
	return c
}

// clusterChange draws an operator's change.
func (h *history) clusterChange(t *rapid.T, r *fsm.Reader) fsm.Command {
	c := &fsm.ClusterChange{Cause: operator}
	for range rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(t, "changes") {
		name := rapid.SampledFrom(clusterNames).Draw(t, "cluster")
		if row := r.Cluster(name); row != nil {
			c.Changes = append(c.Changes, h.change(t, r.View(row.ID)))
		} else if rapid.IntRange(0, 4).Draw(t, "anew") == 0 {
			facts := []fsm.Fact{{Type: fsm.ClusterDiscovered, After: &fsm.ClusterPart{}}}
			c.Changes = append(c.Changes, fsm.Change{Name: name, Facts: h.spoil(t, facts)})
		}
	}
	return c
}

func (h *history) change(t *rapid.T, v *fsm.View) fsm.Change {
	c := fsm.Change{Cluster: v.Cluster.ID, Base: v.Cluster.Index}
	after := v.Clone()
	tell := func(f fsm.Fact) {
		if fsm.Fold(after, f) == nil {
			c.Facts = append(c.Facts, f)
		}
	}
	for _, id := range v.NodeIDs() {
		to := rapid.SampledFrom([]fsm.Lifecycle{
			fsm.Commissioned, fsm.Maintenance, fsm.Maintenance, fsm.Decommissioned, fsm.Forgotten,
		}).Draw(t, "lifecycle")
		if f, err := fsm.Transition(v.Nodes[id], to, rapid.Bool().Draw(t, "force")); f != nil && err == nil {
			tell(*f)
		}
	}
	if rapid.Bool().Draw(t, "set") {
		no := rapid.Bool().Draw(t, "refresh enabled")
		before := fsm.SettingsPart{Settable: v.Cluster.Settings}
		if patch := v.Cluster.Refresh; patch != (fsm.RefreshPatch{}) {
			before.Refresh = &patch
		}
		tell(fsm.Fact{Type: fsm.ClusterSettingsChanged, Before: &before, After: &fsm.SettingsPart{
			Settable: fsm.Settable{Group: rapid.SampledFrom([]string{"", "x"}).Draw(t, "group")},
			Refresh:  &fsm.RefreshPatch{Enabled: &no},
		}})
	}
	if len(after.Nodes) == 0 {
		tell(fsm.Fact{Type: fsm.ClusterRemoved, Before: &fsm.ClusterPart{
			Settings: after.Cluster.Settings, Health: after.Cluster.Health, Reasons: after.Cluster.Reasons,
			Versions: after.Cluster.Versions, Primaries: after.Cluster.Primaries,
		}})
	} else {
		c.Facts = append(c.Facts, fsm.Derive(after, h.now)...)
	}
	if c.Facts = h.spoil(t, c.Facts); rapid.IntRange(0, 9).Draw(t, "base") == 9 {
		c.Base--
	}
	return c
}

// spoil breaks one of some facts now and then, in a way that another release or a fault might.
func (h *history) spoil(t *rapid.T, facts []fsm.Fact) []fsm.Fact {
	if rapid.IntRange(0, 9).Draw(t, "spoil") < 9 {
		return facts
	}
	facts = append([]fsm.Fact(nil), facts...)
	if len(facts) == 0 {
		return []fsm.Fact{{Type: fsm.NodeReachable}}
	}
	i := rapid.IntRange(0, len(facts)-1).Draw(t, "fact")
	f := &facts[i]
	switch rapid.IntRange(0, 9).Draw(t, "how") {
	case 0:
		f.After = nil
	case 1:
		f.Before = nil
	case 2:
		f.Before, f.After = nil, nil
	case 3:
		f.Node = rapid.SampledFrom([]string{"", "a", "z"}).Draw(t, "node")
	case 4:
		f.Shard = rapid.SampledFrom([]string{"", "0", "z"}).Draw(t, "shard")
	case 5:
		*f = f.Reverse()
	case 6:
		f.After = f.Before
	case 7:
		return append(facts, f.Reverse())
	case 8:
		return append(facts, *f)
	default:
		return append(facts, fsm.Fact{Type: fsm.ClusterRemoved, Before: &fsm.ClusterPart{}})
	}
	return facts
}
