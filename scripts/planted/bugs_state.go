package main

// simulated are worlds of the pure simulation; few are enough.
var simulated = catch{"simulation", "./scripts/sim/world", "TestWorlds", []string{"-test.short"}}

// stateBugs are in the replicated state.
var stateBugs = []bug{
	{
		1, "a completion with an old token is taken", "fsm/cmd_claim.go",
		[]edit{{"if open == nil || open.Token != t.Token {", "if open == nil {"}},
		[]catch{{"fsm", "./fsm", "TestCloses|TestHistory", unshrunk}, simulated},
	},
	{
		2, "an event is told and the view stays", "fsm/change.go",
		[]edit{{"tx.putNodes(j.id, put, gone)", "tx.putNodes(j.id, nil, gone)"}},
		[]catch{{"fsm", "./fsm", "TestHistory", unshrunk}, simulated},
	},
	{
		3, "events are told in the order of a map", "fsm/change.go",
		[]edit{{
			"	for _, f := range j.wire {\n",
			"	mixed := map[int]wireFact{}\n	for i, f := range j.wire {\n		mixed[i] = f\n	}\n	for _, f := range mixed {\n",
		}},
		[]catch{{"fsm", "./fsm", "TestTwins", unshrunk}, simulated},
	},
	{
		3, "facts are computed in the order of a map", "fsm/diff.go",
		[]edit{{
			"	for i := range d.Reports {\n		if n := v.Nodes[d.Reports[i].Node]; n != nil && n.Polled() {\n" +
				"			d.hear(n, &d.Reports[i])\n",
			"	for id, n := range v.Nodes {\n		if rep := d.report(id); rep != nil && n.Polled() {\n			d.hear(n, rep)\n",
		}},
		[]catch{{"fsm", "./fsm", "TestRoundsAreDetermined", unshrunk}},
	},
	{
		4, "applying reads the clock", "fsm/txn.go",
		[]edit{
			{`import "github.com/hashicorp/go-memdb"`, "import (\n	\"time\"\n\n	\"github.com/hashicorp/go-memdb\"\n)"},
			{"max(tx.meta.Time, now)", "max(tx.meta.Time, now, TimeOf(time.Now()))"},
		},
		[]catch{{"fsm", "./fsm", "TestTwins", unshrunk}, {"fsm", "./fsm", "TestEntryTime", unshrunk}},
	},
	{
		5, "an operator's restore begins the events anew", "fsm/epoch.go",
		[]edit{{"	m.Epochs = append(", "	m.Seq = 0\n	m.Epochs = append("}},
		[]catch{{"fsm", "./fsm", "TestBeginEpochTellsIt", unshrunk}},
	},
	{
		5, "a snapshot's events are numbered anew", "fsm/loader.go",
		[]edit{{"	if table == tableEvents {\n", "	if table == tableEvents {\n		v.Seq -= min(v.Seq-1, 1)\n"}},
		[]catch{{"fsm", "./fsm", "TestSplits", unshrunk}},
	},
	{
		6, "trimming takes one event too many", "fsm/kept.go",
		[]edit{{"for ; m.First < first && m.First <= m.Seq && m.First", "for ; m.First <= first && m.First <= m.Seq && m.First"}},
		[]catch{{"fsm", "./fsm", "TestTrim", unshrunk}, simulated},
	},
	{
		8, "a restore adds to what is there", "fsm/restore.go",
		[]edit{{
			"	db := newDatabase()\n	if err := load(db, from); err != nil {\n		return fmt.Errorf(\"restore",
			"	db := &database{mem: s.db.Load().mem.Snapshot(), abandoned: make(chan struct{})}\n" +
				"	if err := load(db, from); err != nil {\n		return fmt.Errorf(\"restore",
		}},
		[]catch{{"fsm", "./fsm", "TestRestoreReplaces", unshrunk}, simulated},
	},
	{
		12, "a snapshot forgets how many parts a claim has", "fsm/claim.go",
		[]edit{{"`cbor:\"7,keyasint,omitempty\"`  // parts accepted so far", "`cbor:\"-\"`"}},
		[]catch{{"fsm", "./fsm", "TestSplits", unshrunk}, simulated},
	},
	{
		13, "an unknown command is passed over", "fsm/command.go",
		[]edit{{
			"	for len(raw) > 0 {\n		c, rest, err := decodeFrame(raw)\n",
			"	for len(raw) > 0 {\n		c, rest, err := decodeFrame(raw)\n		if errors.Is(err, ErrNewer) {\n			break\n		}\n",
		}},
		[]catch{{"fsm", "./fsm", "TestEntryNotKnown", unshrunk}},
	},
	{
		17, "applying takes a claim for closed when its time is up", "fsm/cmd_claim.go",
		[]edit{{
			"if open == nil || open.Token != t.Token {",
			"if open == nil || open.Token != t.Token || tx.now() > open.Granted.Add(open.TTL) {",
		}},
		[]catch{simulated},
	},
	{
		25, "a completion on an old base is taken", "fsm/change.go",
		[]edit{{"if at != c.Base || (j.row", "if (j.row"}},
		[]catch{{"fsm", "./fsm", "TestStaleNamesVersion", unshrunk}, simulated},
	},
}
