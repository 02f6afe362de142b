package main

// workBugs are in what peers do for claims: runs and refreshes.
var workBugs = []bug{
	{
		14, "an empty list takes all nodes away", "fsm/hold.go",
		[]edit{
			{"	nothing := len(read) == 0 && len(owned) > 0\n", ""},
			{"if len(absent) <= limit && !nothing {", "if len(absent) <= limit || len(read) == 0 {"},
		},
		[]catch{
			{"fsm", "./fsm", "TestJudgeLimit", unshrunk}, simulated, {"virtual time", "./agent", "TestEmptySourceIsHeld", nil},
		},
	},
	{
		14, "Consul's empty answer passes for a whole one", "discovery/consul/guard.go",
		[]edit{{"	case !meta.KnownLeader:\n", "	case false:\n"}},
		[]catch{{"component", "./discovery/consul", "TestContract", nil}},
	},
	{
		26, "a tag outlives what it was compared with: 304 lies", "refresh/said.go",
		[]edit{{"return s.version == o.version && s.epoch", "return s.epoch"}},
		[]catch{{"component", "./refresh", "TestTagsAreOfTheVersionThatWasCompared", nil}, simulated},
	},
	{
		26, "tags are kept of what was never accepted: 304 hides it", "refresh/complete.go",
		[]edit{
			{"		if unchanged && !c.Again {\n", "		unsent := unchanged && !c.Again\n		if !c.Again {\n"},
			{"			w.standing(ctx, round, b.asOf)\n", "		}\n		if unsent {\n			w.standing(ctx, round, b.asOf)\n"},
		},
		[]catch{simulated},
	},
	{
		27, "a nudged run counts absences", "fsm/enlist.go",
		[]edit{{"absences := r.Full && !r.Hold", "absences := !r.Hold"}},
		[]catch{{"fsm", "./fsm", "TestMembership", unshrunk}, simulated},
	},
}
