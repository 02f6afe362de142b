package fsm

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// churnLimit is how many rounds running an attribute may change before it is no longer followed.
const churnLimit = 5

// software compares kind, versions and attributes.
func (d *diff) software(n *Node, rep *Report) {
	said, kind, version := &n.Said, rep.Kind, rep.Version
	if rep.State != StateUp { // a store that starts or has no quorum may not say; that takes nothing back
		kind, version = cmp.Or(kind, said.Kind), cmp.Or(version, said.Version)
	}
	attributes, same := said.Attributes, sameAttributes(said.Attributes, rep.Attributes, n.Muted)
	if same {
		d.churn(n, nil)
	} else {
		muted := d.mute(n, rep, d.churn(n, changedAttributes(said.Attributes, rep.Attributes, n.Muted)))
		attributes = followed(said.Attributes, rep.Attributes, muted)
		same = maps.Equal(said.Attributes, attributes)
	}
	if same && said.Kind == kind && said.Version == version && said.SidecarVersion == rep.SidecarVersion {
		return
	}
	d.tell(NodeInfoChanged, n.ID, "", &SoftwarePart{kind, version, rep.SidecarVersion, attributes})
}

// churn counts the rounds running in which each attribute changed, came or went, and returns those that have now done so
// too often. A change counts in whatever round it is seen; only a full round without one ends the row, since a confirming
// round comes right after another. A round that does not hear the node leaves the count (noted).
func (d *diff) churn(n *Node, changed []string) []string {
	running := churnOf(d.was.Churn, n.ID)
	var often []string
	for _, k := range changed {
		rounds := 1
		if i := slices.IndexFunc(running, func(c Churn) bool { return c.Attribute == k }); i >= 0 {
			rounds += running[i].Rounds
		}
		if rounds >= churnLimit {
			often = append(often, k)
		} else {
			d.now.Churn = append(d.now.Churn, Churn{Node: n.ID, Attribute: k, Rounds: rounds})
		}
	}
	for _, c := range running {
		if _, again := slices.BinarySearch(changed, c.Attribute); !again && !d.Full {
			d.now.Churn = append(d.now.Churn, c)
		}
	}
	return often
}

// mute stops following attributes and returns all that are muted. The one fact stands for their change in this round too:
// they keep the value they had. Muted attributes that the node no longer says are forgotten along with it, so that no node
// can make the list grow without end.
func (d *diff) mute(n *Node, rep *Report, attributes []string) []string {
	if len(attributes) == 0 {
		return n.Muted
	}
	muted := slices.Clone(attributes)
	for _, k := range n.Muted {
		if _, ok := rep.Attributes[k]; ok {
			muted = append(muted, k)
		}
	}
	slices.Sort(muted)
	d.tell(NodeAttributeMuted, n.ID, "", &MutedPart{muted})
	return muted
}

// sameAttributes compares what is followed.
func sameAttributes(said, says map[string]string, muted []string) bool {
	if len(muted) == 0 {
		return maps.Equal(said, says)
	}
	return within(said, says, muted) && within(says, said, muted)
}

// within says whether b holds all of a that is not muted.
func within(a, b map[string]string, muted []string) bool {
	for k, v := range a {
		if w, ok := b[k]; (!ok || v != w) && !isMuted(muted, k) {
			return false
		}
	}
	return true
}

func isMuted(muted []string, k string) bool {
	_, found := slices.BinarySearchFunc(muted, k, strings.Compare)
	return found
}

// changedAttributes are those that differ, came or went, sorted, without the muted.
func changedAttributes(said, says map[string]string, muted []string) []string {
	var changed []string
	for k, v := range says {
		if w, ok := said[k]; (!ok || v != w) && !isMuted(muted, k) {
			changed = append(changed, k)
		}
	}
	for k := range said {
		if _, ok := says[k]; !ok && !isMuted(muted, k) {
			changed = append(changed, k)
		}
	}
	slices.Sort(changed)
	return changed
}

// followed is what the node says, save that muted attributes stay as they were last kept; nil when there are none.
func followed(said, says map[string]string, muted []string) map[string]string {
	if len(muted) == 0 && len(says) > 0 {
		return says
	}
	out := make(map[string]string, len(says))
	for k, v := range says {
		if !isMuted(muted, k) {
			out[k] = v
		}
	}
	for _, k := range muted {
		if v, ok := said[k]; ok {
			out[k] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
