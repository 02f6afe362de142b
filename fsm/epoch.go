package fsm

import "slices"

// Rebirth is what a state takes from the group that takes it up, when a backup is restored or a group is recovered.
type Rebirth struct {
	Epoch string // the new one
	Own   Meta   // of that group: its id, feature level, leader, time and index
	Peers []Peer // of that group
	Pause *Pause // of that group
	Cause Cause
}

// BeginEpoch makes a state that comes from elsewhere one of a group: a new epoch begins with state.restored as its first
// event, no claim is open, and id, peers, feature level, leader and pause are the group's own. Rows that are fenced by their index
// all change with it, at an index past any that either history gave, so that nothing computed before is taken for current and
// nobody who waits for a change sleeps through this one. It returns that index; raft's must pass it before the next entry.
// What the group may not take up is refused and stays as it was.
//
// It is no part of Apply: the caller has the state for itself and hands it on as a snapshot.
func (s *State) BeginEpoch(b Rebirth) (uint64, error) {
	db := s.db.Load()
	old := s.Read().Meta()
	if err := b.Own.TakesUp(old); err != nil {
		return 0, err
	}
	tx := newTxn(db.mem.Txn(true), max(old.Index, b.Own.Index)+1, b.Own.Time)
	defer tx.abort()
	m := &tx.meta
	m.Group, m.Feature = b.Own.Group, b.Own.Feature
	m.Leader, m.LeaderName, m.Term = b.Own.Leader, b.Own.LeaderName, b.Own.Term
	for _, c := range slices.Collect(tx.Claims()) {
		tx.close(c, func(s *Schedule) { s.AtOnce = true })
	}
	for _, p := range slices.Collect(tx.Reader.Peers()) {
		tx.drop(tablePeers, p)
	}
	for _, p := range b.Peers {
		p.Index = tx.index
		tx.put(tablePeers, &p)
	}
	tx.moveAll(b.Pause)
	m.Epochs = append(slices.Clone(m.Epochs), EpochMark{Epoch: b.Epoch, First: m.Seq + 1})
	tx.append(b.Cause, Fact{Type: StateRestored, After: &RestoredPart{Epoch: old.Epoch(), Seq: old.Seq}})
	tx.commit()
	return tx.index, nil
}

// TakesUp says whether a group may take up a state from elsewhere, and if not, why.
func (m *Meta) TakesUp(from *Meta) error {
	switch {
	case from.Epoch() == "":
		return Errorf(CodeInvalid, "the state is empty: no group was born in it")
	case from.Feature > m.Feature:
		return Errorf(CodeInvalid, "the state is of feature level %d, above this group's, %d: upgrade all its peers first",
			from.Feature, m.Feature)
	}
	return nil
}

// moveAll moves the index of every row that has one to be fenced by, and of every set, and leaves the pause as it was in the
// group.
func (tx *txn) moveAll(pause *Pause) {
	for _, c := range slices.Collect(scan[Cluster](&tx.Reader, tableClusters, byID, nil)) {
		row := *c
		row.Index = tx.index
		tx.insert(tableClusters, &row)
	}
	for _, d := range slices.Collect(scan[Discovery](&tx.Reader, tableDiscoveries, byID, nil)) {
		row := *d
		row.Settings, row.Index = tx.index, tx.index
		tx.insert(tableDiscoveries, &row)
	}
	settings := *tx.Settings()
	settings.Index, settings.Pause = tx.index, pause
	tx.insert(tableSettings, &settings)
	if tx.meta.Feature >= 2 {
		tx.bumped[tableTokens] = true
	}
	for _, set := range []string{tableDiscoveries, tableClusters, tableNodes, indexClaims, tablePeers, tableSettings} {
		tx.bumped[set] = true
	}
}
