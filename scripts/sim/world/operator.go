package world

import (
	"fmt"
	"slices"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

var byOperator = fsm.Cause{Kind: fsm.CauseOperator, Token: 0}

// operatorActs are what operators do, through any peer.
var operatorActs = []act{
	{"operator moves a node", func(a *adversary) bool { return a.write((*peer).transition) }},
	{"operator sets labels", func(a *adversary) bool { return a.write((*peer).label) }},
	{"operator sets guards", func(a *adversary) bool { return a.write((*peer).guard) }},
	{"operator applies", func(a *adversary) bool { return a.write((*peer).applies) }},
	{"operator deletes", func(a *adversary) bool { return a.w.chance(4) && a.write((*peer).deletes) }},
	{"operator releases", func(a *adversary) bool { return a.write((*peer).releases) }},
	{"operator asks", func(a *adversary) bool { return a.write((*peer).asks) }},
	{"operator changes settings", func(a *adversary) bool { return a.write((*peer).settings) }},
	{"operator pauses", func(a *adversary) bool { return a.w.chance(6) && a.write((*peer).pauses) }},
	{"operator resumes", func(a *adversary) bool { return a.write((*peer).resumes) }},
	{"operator acts", func(a *adversary) bool { return a.write((*peer).acts) }},
	{"operator makes a token", func(a *adversary) bool { return a.write((*peer).makesToken) }},
	{"operator deletes tokens", func(a *adversary) bool { return a.write((*peer).deletesTokens) }},
	{"operator churns a cluster", func(a *adversary) bool { return a.w.chance(4) && a.churns() }},
	{"operator backs up", func(a *adversary) bool { return a.backsUp() }},
	{"operator restores", func(a *adversary) bool { return a.w.chance(3) && a.restores() }},
}

// write has an operator send what is computed from a replica, and again where nobody knows what came of it.
func (a *adversary) write(compute func(p *peer) fsm.Command) bool {
	p := a.some(1)
	if p == nil || !p.open {
		return false
	}
	c := compute(p)
	if c == nil {
		return false
	}
	p.propose(c, 2)
	return true
}

// propose sends a command of an operator's, so many times at most.
func (p *peer) propose(c fsm.Command, times int) {
	p.spawn(func(t *task) {
		for range times {
			res, err := p.Propose(deadline{t, p.w.now + 20*time.Second}, c)
			if err == nil {
				word := "done"
				if res.Error != nil {
					word = "refused"
				}
				p.w.count.add(word + " " + fsm.KindName(c))
				return
			}
			if !t.sleep(time.Second) {
				return
			}
		}
	})
}

// someCluster is a cluster as the replica has it, nil when there is none.
func (p *peer) someCluster() *fsm.Cluster {
	all := slices.Collect(p.Read().Clusters(""))
	if len(all) == 0 {
		return nil
	}
	return pick(p.w, all)
}

// spec is a setting of a discovery of a source.
func (w *World) spec(s *source) fsm.Spec {
	spec := fsm.DefaultSpec()
	spec.Backend, spec.Config = "model", fsm.JSON(fmt.Sprintf(`{"source":%q}`, s.name))
	spec.Interval = pick(w, []fsm.Duration{3 * fsm.Second, 5 * fsm.Second, 10 * fsm.Second})
	spec.MissingAfter = pick(w, []fsm.Duration{0, 4 * fsm.Second, 8 * fsm.Second})
	spec.RemoveAfter = spec.MissingAfter + pick(w, []fsm.Duration{4 * fsm.Second, 10 * fsm.Second})
	spec.MaxShrink = pick(w, []fsm.Percent{30, 50})
	if w.chance(8) {
		spec.Admission = fsm.AdmissionManual
	}
	if w.chance(2) {
		spec.OnDelete = fsm.OnDeleteRemove
	}
	r := &spec.Refresh
	r.Interval = pick(w, []fsm.Duration{3 * fsm.Second, 5 * fsm.Second, 10 * fsm.Second})
	r.Timeout = fsm.DurationOf(pollTimeout)
	r.DownAfter = 1 + w.rng.IntN(3)
	r.Identity = pick(w, []string{fsm.IdentityPinned, fsm.IdentityOff})
	if w.chance(4) {
		r.On = "zone=a"
	}
	if err := spec.Validate(); err != nil {
		panic(err)
	}
	return spec
}

// applySources has the operator apply a discovery for each source that has none or a disabled one.
func (a *adversary) applySources() {
	p := a.leader()
	if p == nil || !p.open || p.term == nil || p.term.sched == nil {
		a.w.after(200*time.Millisecond, a.applySources)
		return
	}
	for _, s := range a.w.sources {
		if d := p.Read().Discovery(s.name); d != nil && (d.Spec.Enabled || d.Deleting) {
			continue
		}
		p.propose(&fsm.DiscoveryApply{Name: s.name, Spec: a.w.spec(s), Cause: byOperator}, 5)
	}
}

func (p *peer) applies() fsm.Command {
	s := pick(p.w, p.w.sources)
	spec := p.w.spec(s)
	spec.Enabled = !p.w.chance(6)
	return &fsm.DiscoveryApply{Name: s.name, Spec: spec, Cause: byOperator}
}

func (p *peer) deletes() fsm.Command {
	return &fsm.DiscoveryDelete{Name: pick(p.w, p.w.sources).name, Cause: byOperator}
}

func (p *peer) releases() fsm.Command {
	for d := range p.Read().Discoveries("") {
		if d.Held != nil && !d.Held.Released {
			return &fsm.DiscoveryRelease{Name: d.Name, Hash: d.Held.Hash, Cause: byOperator}
		}
	}
	return nil
}

// asks wants a refresh or a run now.
func (p *peer) asks() fsm.Command {
	h := p.w.log.holder
	if h == nil || h.sched == nil || h.over {
		return nil
	}
	s := fsm.Subject{Kind: fsm.KindRun, ID: 1 + uint64(p.w.rng.IntN(len(p.w.sources)))}
	if c := p.someCluster(); c != nil && !p.w.chance(3) {
		s = fsm.Subject{Kind: fsm.KindRefresh, ID: c.ID}
	}
	r := h.p.Read()
	grant, err := refresh.Assign(r, s, h.ready(r))
	if err != nil {
		return nil
	}
	cause := byOperator
	grant.Cause = &cause
	return grant
}

func (p *peer) acts() fsm.Command {
	return &fsm.OperatorAct{Action: "snapshot save", Cause: byOperator}
}

// makesToken makes the first token, or one of a few.
func (p *peer) makesToken() fsm.Command {
	name := fmt.Sprint("token-", p.w.rng.IntN(4))
	t := fsm.Token{Accessor: name, Hash: fsm.HashSecret(name), Rights: []fsm.Right{fsm.MayOperate}, Created: p.Read().Meta().Time}
	if p.w.chance(3) {
		t.Rights = []fsm.Right{fsm.MayManage}
		return &fsm.TokenBootstrap{Token: t, Reset: p.Read().Meta().Bootstrapped, Cause: byOperator}
	}
	return &fsm.TokenCreate{Token: t, Cause: byOperator}
}

func (p *peer) deletesTokens() fsm.Command {
	return &fsm.TokenDelete{Accessors: []string{fmt.Sprint("token-", p.w.rng.IntN(4)), "token-9"}, Cause: byOperator}
}

func (p *peer) settings() fsm.Command {
	s := fsm.DefaultSettings()
	s.Retention.Events = 50 + p.w.rng.IntN(300)
	s.Retention.Bytes = 20_000 + int64(p.w.rng.IntN(200_000))
	s.Retention.Age = pick(p.w, []fsm.Duration{fsm.Minute, fsm.Hour, 30 * fsm.Day})
	s.Retention.Audit = 10 + p.w.rng.IntN(50)
	s.Limits.InFlight = pick(p.w, []int{2, 8, 1024})
	s.DeadPeers.RemoveAfter = pick(p.w, []fsm.Duration{0, 0, fsm.Hour})
	return &fsm.SettingsSet{Settings: s, Cause: byOperator}
}

// pauses stops all scheduling for a while that is shorter than the rest at the end.
func (p *peer) pauses() fsm.Command {
	now := max(p.Read().Meta().Time, p.wall())
	if h := p.w.log.holder; h != nil && h.sched != nil {
		now = h.instant().Time
	}
	until := now.Add(fsm.DurationOf(p.w.between(0, 8*time.Second)))
	return &fsm.SchedulePause{Pause: fsm.Pause{Until: until, Reason: pick(p.w, []string{"", "moving"})}, Cause: byOperator}
}

func (p *peer) resumes() fsm.Command {
	if p.Read().Settings().Pause == nil {
		return nil
	}
	return &fsm.ScheduleResume{Cause: byOperator}
}
