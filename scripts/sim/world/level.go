package world

import (
	"slices"

	"github.com/musterhq/muster/fsm"
)

// release is the feature level that a new peer understands: in some worlds that of the release before, as long as the group
// has not been raised above it.
func (w *World) release() uint32 {
	if w.raised || !w.upgrades || !w.chance(2) {
		return fsm.FeatureLevel
	}
	return fsm.FeatureLevel - 1
}

// upgrade gives a peer that was away the latest release, mostly.
func (p *peer) upgrade() {
	if !p.w.chance(4) {
		p.release = fsm.FeatureLevel
	}
}

// raise proposes the feature level that all members have announced, by their rows and by their own words.
func (t *term) raise(r *fsm.Reader) {
	level := uint32(fsm.FeatureLevel)
	for _, p := range t.w.peers {
		row := r.Peer(p.id)
		if !p.member {
			continue
		}
		if row == nil {
			return
		}
		level = min(level, row.Release)
		if w, heard := t.words[p]; heard {
			level = min(level, w.release)
		}
	}
	if level > r.Meta().Feature {
		t.w.raised = true // who joins from now on understands it
		t.change("level", &fsm.FeatureRaise{Level: level})
	}
}

// admit refuses what needs a higher feature level than the group's.
func (t *term) admit(batch []*proposal) []*proposal {
	level := t.p.Read().Meta().Feature
	return slices.DeleteFunc(batch, func(p *proposal) bool {
		why := fsm.Admit(p.frame, level)
		if why != nil {
			t.w.count.add("not admitted")
			p.settle(fsm.Result{Error: why}, accepted)
		}
		return why != nil
	})
}

// understands checks that no peer is told more than its release understands (I34).
func (k *checker) understands(p *peer) {
	if level := p.Read().Meta().Feature; level > p.release {
		k.w.fail("I34", "the group is at feature level %d and %s understands %d", level, p.name, p.release)
	}
}
