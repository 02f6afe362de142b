package main

// groupBugs are in what makes peers a group: raft, its log on disk, leadership.
var groupBugs = []bug{
	{
		7, "a snapshot is written from the state as it moves on", "agent/replica/snapshot.go",
		[]edit{
			{"return pinned{m.state.Read()}, nil", "return moving{m.state}, nil"},
			{
				"// Release is raft.FSMSnapshot's;",
				"type moving struct{ state *fsm.State }\n\nfunc (p moving) Persist(sink raft.SnapshotSink) error {\n" +
					"	return pinned{p.state.Read()}.Persist(sink)\n}\n\nfunc (moving) Release() {}\n\n// Release is raft.FSMSnapshot's;",
			},
		},
		[]catch{{"component", "./agent/replica", "TestSnapshotIsPinned", nil}},
	},
	{
		9, "a write is acknowledged before it is committed", "agent/entries/batch.go",
		[]edit{{
			"	b.waiting.Go(func() {\n		applied, err := outcomeOf(future)\n",
			"	for _, p := range batch {\n		p.finish(make([]fsm.Result, p.count), nil)\n	}\n	batch = nil\n" +
				"	b.waiting.Go(func() {\n		applied, err := outcomeOf(future)\n",
		}},
		[]catch{{"virtual time", "./agent", "TestWriteOfIsolatedLeaderIsUnknown", nil}},
	},
	{
		10, "a leader reads without asking whether it still leads", "agent/read.go",
		[]edit{{"t.agent.asker.Leads(ctx)", "error(nil)"}},
		[]catch{{"virtual time", "./agent", "TestReadsWithoutQuorum", nil}},
	},
	{
		11, "a leader begins without a barrier", "agent/term.go",
		[]edit{{"a.raft.Barrier(barrierWait).Error()", "error(nil)"}},
		[]catch{{"virtual time", "./agent", "TestRestartedGroupGoesOnInTime", []string{"-test.count=30"}}},
	},
	{
		15, "the log is not synced", "agent/boltstore/store.go",
		[]edit{{"		NoFreelistSync: true,\n", "		NoFreelistSync: true,\n		NoSync:         true,\n"}},
		[]catch{{"component", "./agent/boltstore/crashtest", "TestWritesAreSynced", nil}},
	},
	{
		16, "an error of the log store is swallowed", "agent/boltstore/log.go",
		[]edit{{
			"	if err != nil {\n		return err\n	}\n	s.metrics.entries.Add(float64(len(logs)))",
			"	if err != nil {\n		return nil\n	}\n	s.metrics.entries.Add(float64(len(logs)))",
		}},
		[]catch{{"component", "./agent/boltstore", "TestFailedWriteLatches", nil}},
	},
	{
		18, "leadership lost and regained passes for kept", "agent/term.go",
		[]edit{{
			"		case leads := <-a.leads:\n			stop()\n",
			"		case leads := <-a.leads:\n			if leads && a.term.Load() != nil {\n				continue\n			}\n			stop()\n",
		}},
		[]catch{{"virtual time", "./agent", "TestMergedSignals", nil}},
	},
	{
		19, "a peer's name is its id in raft, and its disk was wiped", "agent/open.go",
		[]edit{{"a.dir, a.id = dir, dir.ID()", "a.dir, a.id = dir, a.cfg.Name"}},
		[]catch{{"virtual time", "./agent", "TestWipedPeerVotesForNothing|TestWipedPeerReplacesItself", nil}},
	},
	{
		23, "a part of a peer is left running when it stops", "agent/run.go",
		[]edit{{"	defer work.Halt()\n", ""}, {"	work.Halt()\n	a.farewell(base)", "	_ = work\n	a.farewell(base)"}},
		[]catch{{"virtual time", "./agent", "TestStaleReadOfNothing", nil}},
	},
	{
		24, "a command is proposed before the feature level lets it in", "agent/entries/batch.go",
		[]edit{{
			"		if why != nil {\n			p.refuse(why)\n		}\n		return why != nil\n",
			"		_ = why\n		return false\n",
		}},
		[]catch{{"virtual time", "./agent", "TestUpgradeProposesNothingTooNew|TestUpgradeHoldsBackWhatIsNew", nil}},
	},
	{
		24, "what a leader understands passes for the group's level", "agent/entries/batch.go",
		[]edit{{"	level := b.machine.Read().Meta().Feature //", "	level := b.machine.Level //"}},
		[]catch{{"virtual time", "./agent", "TestUpgradeHoldsBackWhatIsNew", nil}},
	},
}
