package fsm_test

import "github.com/musterhq/muster/fsm"

// chronicle is a short log in which every table gets rows with every field set. Its facts are written out, not computed, so
// that it stays what it is whatever Diff and Enlist become.
func chronicle() [][]fsm.Command {
	spec := filled[fsm.Spec]()
	settings := filled[fsm.Settings]()
	cas := uint64(0)
	whole, node := filled[fsm.ClusterPart](), filled[fsm.NodePart]()
	listing := *filled[fsm.Listing]()
	listing.Node = "a"
	never := fsm.NodePart{Presence: fsm.Present, Lifecycle: fsm.Discovered}
	held := filled[fsm.Held]()
	held.Released = false
	claim := filled[fsm.ClaimGrant]()
	claim.Kind, claim.IDs, claim.Reason = fsm.KindRefresh, []uint64{1}, fsm.WhyDue
	run := func(why string) *fsm.ClaimGrant {
		return &fsm.ClaimGrant{Kind: fsm.KindRun, Peer: "p", TTL: 75_000, Reason: why, IDs: []uint64{1}}
	}
	p, q := filled[fsm.Peer](), filled[fsm.Peer]()
	p.ID, q.ID, q.Name = "p", "q", "other"
	set := fsm.Fact{
		Type: fsm.ClusterSettingsChanged, Before: &fsm.SettingsPart{Settable: whole.Settings, Refresh: whole.Refresh},
		After: filled[fsm.SettingsPart](),
	}
	set.After.(*fsm.SettingsPart).Group = "another"
	return [][]fsm.Command{
		{&fsm.GroupCreate{Group: "g", Epoch: "e", Feature: fsm.BirthLevel}}, // 101
		{&fsm.LeaderChange{ID: "p", Name: "peer-p", Term: 2}, &fsm.PeerSet{Peer: *p}, &fsm.PeerSet{Peer: *q, Reason: "doubted"}},
		{&fsm.SettingsSet{Settings: *settings, CAS: &cas, Cause: operator}, &fsm.FeatureRaise{Level: fsm.FeatureLevel}},
		{&fsm.DiscoveryApply{Name: "d", Spec: *spec, CAS: &cas, Cause: operator}}, // 104
		{run(fsm.WhyAsked)}, // 105
		{&fsm.RunComplete{Discovery: 1, Settings: 104, Token: 105, Enrolments: []fsm.Enrolment{{
			Cluster: "c", Put: []fsm.Listing{listing, {Node: "b"}}, Facts: []fsm.Fact{
				{Type: fsm.ClusterDiscovered, After: whole},
				{Type: fsm.NodeDiscovered, Node: "a", After: node},
				{Type: fsm.NodeDiscovered, Node: "b", After: &never},
			},
		}}}, &fsm.RunComplete{Discovery: 1, Settings: 104, Token: 105, Part: 1, Outcome: &fsm.RunOutcome{Error: "no leader"}}}, // 106
		{run(fsm.WhyDue)}, // 107
		{&fsm.RunComplete{Discovery: 1, Settings: 104, Token: 107, Outcome: &fsm.RunOutcome{
			Took: 12, Records: 2, Hash: "h", Held: held, Changed: true,
		}}},
		{claim}, // 109
		{&fsm.RefreshComplete{
			Cluster: 1, Token: 109, Last: true, Base: 106, Notes: filled[fsm.Notes](), Took: 31, ConfirmIn: 500, OddIn: 700,
			Facts: []fsm.Fact{{Type: fsm.NodeReachable, Node: "b", Before: &fsm.ReachPart{}, After: filled[fsm.ReachPart]()}},
		}},
		{run(fsm.WhyDue)}, // 111
		{&fsm.ClaimExpire{Peer: "p", Reason: "ttl", Claims: []fsm.Ticket{{Subject: fsm.Subject{Kind: fsm.KindRun, ID: 1}, Token: 111}}}},
		{&fsm.ClusterChange{Changes: []fsm.Change{{Cluster: 1, Base: 110, Facts: []fsm.Fact{set}}}, Cause: operator}}, // 113
		{
			&fsm.PeerRemove{ID: "q", Reason: "left"}, &fsm.OperatorAct{Action: "backup", Subject: "all", Cause: operator},
			&fsm.ClaimGrant{Kind: fsm.KindRefresh, Peer: "p", TTL: 15_000, Reason: fsm.WhyOdd, IDs: []uint64{1}}, // 114
		},
		{&fsm.RefreshUnchanged{
			Groups: []fsm.Unchanged{{Token: 114, Clusters: []uint64{1}, Took: []uint32{9}}}, AsOf: 114,
		}, &fsm.ClaimGrant{ // 115
			Kind: fsm.KindRefresh, Peer: "p", TTL: 15_000, Reason: fsm.WhyConfirm, IDs: []uint64{1}, Names: []string{"a"}, Alone: true,
		}},
		{&fsm.RefreshComplete{Cluster: 1, Token: 115, Base: 113, Facts: []fsm.Fact{
			{Type: fsm.NodeAttributeMuted, Node: "b", Before: &fsm.MutedPart{}, After: filled[fsm.MutedPart]()},
		}}},
		{&fsm.DiscoveryApply{Name: "e", Spec: *spec, Cause: operator}, &fsm.DiscoveryDelete{Name: "e", Cause: operator}},
		{&fsm.DiscoveryRelease{Name: "d", Hash: held.Hash, Cause: operator}, run(fsm.WhyNudge)}, // 118
		{&fsm.ClaimAbandon{Claims: []fsm.Ticket{{Subject: fsm.Subject{Kind: fsm.KindRun, ID: 1}, Token: 118}}, Error: "stopping"}},
		{&fsm.EventsTrim{First: 3, Audit: 4}},
		{ // 121
			&fsm.TokenBootstrap{Token: token("first", fsm.MayManage, fsm.MaySnapshot), Cause: operator},
			&fsm.TokenCreate{Token: token("second", fsm.MayRead), Cause: operator},
		},
		{
			&fsm.TokenBootstrap{Token: token("third", fsm.MayManage), Reset: 121, Cause: operator},
			&fsm.TokenDelete{Accessors: []string{"second"}, Cause: operator},
		},
		{
			&fsm.SchedulePause{Pause: fsm.Pause{Until: 1_800_000_000_000, Reason: "moving"}, Cause: operator},
			&fsm.ScheduleResume{Cause: operator},
			&fsm.SchedulePause{Pause: fsm.Pause{Until: 1_900_000_000_000, Reason: "moving again"}, Cause: operator},
		},
	}
}
