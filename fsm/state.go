package fsm

import (
	"fmt"
	"sync/atomic"

	"github.com/hashicorp/go-memdb"
)

// State is what muster knows, in memory: a database of immutable rows. One goroutine applies and restores; any number read
// without locks, each from the state as it stood when it began.
type State struct {
	db atomic.Pointer[database]
}

// database is one memdb with the channel that is closed when a restore replaces it.
type database struct {
	mem       *memdb.MemDB
	abandoned chan struct{}
}

// NewState is an empty state.
func NewState() *State {
	s := &State{}
	s.db.Store(newDatabase())
	return s
}

func newDatabase() *database {
	db := &database{mem: must(memdb.NewMemDB(schema())), abandoned: make(chan struct{})}
	tx := db.mem.Txn(true)
	defer tx.Commit()
	settings := DefaultSettings()
	for _, row := range []struct {
		table string
		row   any
	}{
		{tableMeta, &Meta{First: 1}},
		{tableSettings, &settings},
		{tableSubjects, &subjects{}},
	} {
		if err := tx.Insert(row.table, row.row); err != nil {
			panic(err)
		}
	}
	return db
}

// Applied is what one entry did, for the peer that applied it: who waits for results, whose claims were granted, which
// schedules moved.
type Applied struct {
	Index   uint64
	Time    Time
	Results []Result    // one per command, in order
	Granted []*Claim    // claims this entry opened that are still open after it
	Closed  []*Claim    // claims this entry closed
	Touched []Subject   // subjects whose schedule, claim or settings changed
	Events  []EventType // of the events appended, in order
	Peers   bool        // peers, leader or settings changed
}

// Apply applies one entry of the log. Each command of its batch is judged alone, all its checks before its first write; what
// is refused comes back in its Result. The error is for what must not be skipped (an entry, command or fact this release
// does not know, or that does not decode): the state is then unchanged and the process must stop.
func (s *State) Apply(index uint64, entry []byte) (*Applied, error) {
	now, commands, err := DecodeEntry(entry)
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", index, err)
	}
	db := s.db.Load()
	tx := newTxn(db.mem.Txn(true), index, now)
	defer tx.abort()
	for _, c := range commands {
		res := c.apply(tx)
		res.Index = index
		tx.applied.Results = append(tx.applied.Results, res)
	}
	return tx.commit(), nil
}

// Read is a reader on the state as it stands now. It needs no closing.
func (s *State) Read() *Reader {
	db := s.db.Load()
	return &Reader{txn: db.mem.Txn(false), abandoned: db.abandoned}
}
