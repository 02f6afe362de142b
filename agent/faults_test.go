package agent

import (
	"slices"
	"syscall"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// kind is a kind of fault: how long one lasts, and how it begins. Where it cannot begin now, begin returns nil.
type kind struct {
	least, most time.Duration
	begin       func(*scene, fault) *underWay
}

// installed is counted where it happens: peers that were sent a snapshot since they lacked more than the log still had.
const installed = "snapshot installed"

// kinds are all faults by name.
func kinds() map[string]kind {
	s := time.Second
	return map[string]kind{
		"cut, one way":       {3 * s, 15 * s, cutOneWay},
		"cut, in two":        {3 * s, 15 * s, cutInTwo},
		"cut, leader alone":  {2 * s, 15 * s, cutLeader},
		"cut, ring":          {3 * s, 20 * s, cutRing},
		"cut, lagging peer":  {25 * s, 40 * s, cutFollower},
		"connections broken": {2 * s, 6 * s, breakAll},
		lost:                 {3 * s, 15 * s, rough(lost, 0.3)},
		unheard:              {3 * s, 15 * s, rough(unheard, 0.3)},
		delayed:              {3 * s, 15 * s, rough(delayed, 0.5)},
		twice:                {3 * s, 15 * s, rough(twice, 0.5)},
		latter:               {3 * s, 15 * s, rough(latter, 0.3)},
		"disk: EIO":          {3 * s, 6 * s, diskFails(syscall.EIO)},
		"disk: ENOSPC":       {3 * s, 12 * s, diskFails(syscall.ENOSPC)},
		"disk hangs":         {14 * s, 20 * s, diskHangs},
		"disk slow":          {5 * s, 20 * s, diskSlow},
		"snapshot slow":      {20 * s, 30 * s, snapshotSlow},
		"crash of leader":    {s, 2 * s, crash(false)},
		"crash of follower":  {s, 2 * s, crash(true)},
		"crash of all":       {s, 2 * s, crashAll},
		"stop and start":     {s, 2 * s, stopOne},
		"leadership moved":   {s, 2 * s, moveLeadership},
		"signals merged":     {5 * s, 8 * s, mergeSignals},
		"clock of leader":    {5 * s, 40 * s, jump(false)},
		"clock of follower":  {5 * s, 40 * s, jump(true)},
		"peer joins":         {s, 2 * s, joinOne},
		"peer leaves":        {s, 2 * s, leaveOne},
		"disk lost":          {s, 2 * s, replaceOne},
		"nodes slow":         {5 * s, 20 * s, nodesSlow},
		"peer blind":         {5 * s, 20 * s, blindOne},
		"source fails":       {10 * s, 30 * s, sourceFails},
		"source empty":       {10 * s, 30 * s, sourceEmpty},
	}
}

// span is a fault that lasts and counts when it ends.
func (s *scene) span(f fault, end func()) *underWay {
	return &underWay{end: func() { end(); s.hit(f.Kind) }}
}

// done is a fault that happened at once.
func (s *scene) done(f fault) *underWay {
	s.hit(f.Kind)
	return &underWay{end: func() {}}
}

func cutOneWay(s *scene, f fault) *underWay {
	a, b := s.leading(), s.some(true)
	if a == nil || b == nil {
		return nil
	}
	if s.rand.IntN(2) == 0 {
		a, b = b, a
	}
	s.cut(a, b)
	return s.span(f, func() { s.mend(a, b) })
}

func cutInTwo(s *scene, f fault) *underWay {
	all := s.alive()
	if len(all) < 3 {
		return nil
	}
	s.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	part, rest := all[:len(all)/2], all[len(all)/2:]
	for _, m := range part {
		s.apart(rest, m)
	}
	return s.span(f, func() {
		for _, m := range part {
			s.together(rest, m)
		}
	})
}

func cutLeader(s *scene, f fault) *underWay   { return s.alone(f, s.some(false)) }
func cutFollower(s *scene, f fault) *underWay { return s.alone(f, s.some(true)) }

// alone cuts one member from all others.
func (s *scene) alone(f fault, m *member) *underWay {
	if m == nil {
		return nil
	}
	others := slices.Clone(s.members)
	s.apart(others, m)
	return s.span(f, func() { s.together(others, m) })
}

// cutRing leaves each member two neighbours at most; of three, the outer ones lose each other.
func cutRing(s *scene, f fault) *underWay {
	all := s.alive()
	if len(all) < 3 {
		return nil
	}
	var far [][2]*member
	for i, a := range all {
		for j := i + 2; j < len(all); j++ {
			if i > 0 || j < len(all)-1 || len(all) == 3 {
				far = append(far, [2]*member{a, all[j]})
			}
		}
	}
	for _, l := range far {
		s.apart(l[1:], l[0])
	}
	return s.span(f, func() {
		for _, l := range far {
			s.together(l[1:], l[0])
		}
	})
}

// breakAll breaks connections in the middle of what they carry, again and again.
func breakAll(s *scene, f fault) *underWay {
	broken := 0
	u := &underWay{}
	u.tick = func() {
		a, b := s.members[s.rand.IntN(len(s.members))], s.members[s.rand.IntN(len(s.members))]
		broken += s.net.Break(a.host, b.host)
	}
	u.end = func() {
		if broken > 0 {
			s.hit(f.Kind)
		}
	}
	return u
}

// rough is weather of one kind.
func rough(kind string, share float64) func(*scene, fault) *underWay {
	return func(s *scene, f fault) *underWay {
		before := s.weather.count(kind)
		s.weather.set(kind, share)
		return &underWay{end: func() {
			s.weather.set(kind, 0)
			if s.weather.count(kind) > before {
				s.hit(f.Kind)
			}
		}}
	}
}

// mergeSignals has the leader lose leadership and regain it before it takes raft's signals.
func mergeSignals(s *scene, f fault) *underWay {
	m := s.leading()
	if m == nil {
		return nil
	}
	others := slices.Clone(s.members)
	began, term, merged := time.Now(), m.raft.CurrentTerm(), m.valve.merged.Load()
	m.valve.hold.Store(true)
	s.apart(others, m)
	cut := true
	u := &underWay{}
	u.tick = func() {
		if time.Since(began) < time.Second || !m.valve.hold.Load() || m.stop == nil {
			return
		}
		if cut {
			cut = false
			s.together(others, m)
		}
		switch l := s.leading(); {
		case m.raft.State() == raft.Leader && m.raft.CurrentTerm() > term:
			m.valve.hold.Store(false)
		case l != nil && l != m:
			_ = l.raft.LeadershipTransferToServer(raft.ServerID(m.id), raft.ServerAddress(m.id)).Error()
		}
	}
	u.end = func() {
		m.valve.hold.Store(false)
		if cut {
			s.together(others, m)
		}
		synctest.Wait()
		if m.valve.merged.Load() > merged {
			s.hit(f.Kind)
		}
	}
	return u
}

// jump sets a wall clock a day forward or back, and sets it right at the end.
func jump(follower bool) func(*scene, fault) *underWay {
	return func(s *scene, f fault) *underWay {
		m := s.some(follower)
		if m == nil {
			return nil
		}
		m.offset.Store(int64([]time.Duration{day, -day}[s.rand.IntN(2)]))
		return s.span(f, func() { m.offset.Store(0) })
	}
}

func nodesSlow(s *scene, f fault) *underWay {
	s.fleet.slow(900 * time.Millisecond)
	return s.span(f, func() { s.fleet.slow(0) })
}

// blindOne cuts a member from all nodes.
func blindOne(s *scene, f fault) *underWay {
	m := s.some(s.rand.IntN(2) == 0)
	if m == nil {
		return nil
	}
	nodes := addrsOf(s.fleet.clusters, s.fleet.size)
	s.blind(m.peer, nodes...)
	return s.span(f, func() { s.sighted(m.peer, nodes...) })
}

func sourceFails(s *scene, f fault) *underWay {
	s.fleet.fail()
	return s.span(f, s.fleet.rest)
}

func sourceEmpty(s *scene, f fault) *underWay {
	s.fleet.blank()
	return s.span(f, s.fleet.rest)
}
