package fsm

import (
	"fmt"
	"iter"
)

// Crowd is a state with so many clusters, which have no nodes.
func Crowd(clusters uint64) *State {
	s := NewState()
	tx := newTxn(s.db.Load().mem.Txn(true), 1, 1)
	for tx.meta.Cluster < clusters {
		tx.meta.Cluster++
		tx.insert(tableClusters, &Cluster{ID: tx.meta.Cluster, Name: fmt.Sprint(tx.meta.Cluster)})
		tx.schedule(Subject{KindRefresh, tx.meta.Cluster}, func(*Schedule) {})
	}
	tx.commit()
	return s
}

// Subjects are rows of subjects, each of which is known by when it was done.
type Subjects struct{ subjects }

// Copy is one that may be changed.
func (s *Subjects) Copy() *Subjects { return &Subjects{*s.copy()} }

// Put writes a row.
func (s *Subjects) Put(of Subject, done Time) {
	s.put(&subjectRow{schedule: &Schedule{Subject: of, Done: done}})
}

// Drop takes a row away.
func (s *Subjects) Drop(of Subject) { s.drop(of) }

// Done is when the subject of a row was done, if there is one.
func (s *Subjects) Done(of Subject) (done Time, there bool) {
	row := s.row(of)
	if row == nil {
		return 0, false
	}
	return row.schedule.Done, true
}

// All yields all rows.
func (s *Subjects) All() iter.Seq2[Subject, Time] {
	rows := s.all()
	return func(yield func(Subject, Time) bool) {
		for row := range rows {
			if !yield(row.schedule.Subject, row.schedule.Done) {
				return
			}
		}
	}
}

// Empty says whether nothing is left, not even the branches that rows were on.
func (s *Subjects) Empty() bool { return s.runs.root == nil && s.refreshes.root == nil }
