package world

import "time"

// groupActs are what happens to peers and to who leads.
var groupActs = []act{
	{"peer crashes", func(a *adversary) bool { return a.down(a.some(2)) }},
	{"leader crashes", func(a *adversary) bool { return a.some(2) != nil && a.down(a.leader()) }},
	{"peer starts at once", func(a *adversary) bool {
		p := a.some(2)
		if p == nil || p == a.leader() {
			return false
		}
		p.crash()
		p.start()
		return true
	}},
	{"peer stops", func(a *adversary) bool { return a.stops(a.worker()) }},
	{"leader changes", func(a *adversary) bool {
		p := a.some(2)
		if p == nil || p == a.leader() {
			return false
		}
		a.w.log.elect(a.w, p, false)
		return true
	}},
	{"lost and regained", func(a *adversary) bool {
		p := a.leader()
		if p == nil {
			return false
		}
		a.w.log.elect(a.w, p, true)
		return true
	}},
	{"replica lags", func(a *adversary) bool {
		p := a.some(2)
		if p == nil || p == a.leader() {
			return false
		}
		p.paused = a.w.now + a.w.between(time.Second, 10*time.Second)
		return true
	}},
	{"peer cut off", func(a *adversary) bool {
		p := a.some(2)
		if p == nil || p == a.leader() {
			return false
		}
		p.cut = a.w.now + a.w.between(time.Second, 20*time.Second)
		return true
	}},
	{"peer cannot reach nodes", func(a *adversary) bool {
		p := a.some(2)
		if p == nil {
			return false
		}
		p.blind = a.w.now + a.w.between(time.Second, 30*time.Second)
		return true
	}},
	{"work hangs", func(a *adversary) bool { // its claims are never completed, and it lives on
		p := a.some(1)
		if p == nil || len(p.tasks) == 0 {
			return false
		}
		p.killTasks()
		return true
	}},
	{"reports are lost", func(a *adversary) bool { return a.mutes() }},
	{"snapshot installed", func(a *adversary) bool { return a.install() }},
	{"clock jumps forward", func(a *adversary) bool { return a.jump(24 * time.Hour) }},
	{"clock jumps back", func(a *adversary) bool { return a.jump(-24 * time.Hour) }},
	{"peer joins", func(a *adversary) bool {
		n := 0
		for _, p := range a.w.peers {
			if p.member {
				n++
			}
		}
		if n >= 6 || len(a.w.peers) >= 9 {
			return false
		}
		a.w.addPeer()
		return true
	}},
	{"peer leaves", func(a *adversary) bool {
		p := a.some(3)
		if p == nil || p == a.leader() || a.leader() == nil {
			return false
		}
		p.member = false
		p.crash()
		return true
	}},
}
