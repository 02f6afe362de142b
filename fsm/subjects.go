package fsm

import "iter"

// subjectRow is all that is kept of a subject beside the view: a claim that is granted or closed writes this one row.
type subjectRow struct {
	schedule *Schedule
	open     *Claim // nil for none
}

// subjects is the rows of all subjects. They are one row of the database, since they are most of what is written and nobody
// waits for one of them: the database would keep two channels for each, and where an entry writes thousands of rows it walks
// its whole table to find which channels to close.
//
// Each kind is a tree by id, which are given in order. Who holds a copy sees it as it was: a branch is written in place only
// by the generation that made it, and each copy begins another.
type subjects struct {
	runs, refreshes tree
	generation      uint64
}

// tree is the rows of one kind. The lowest of its levels has rows, those above have branches.
type tree struct {
	root   *branch
	levels int
}

const (
	branchBits = 4
	branchMask = 1<<branchBits - 1
)

type branch struct {
	generation uint64
	below      [1 << branchBits]*branch
	rows       [1 << branchBits]*subjectRow
}

// copy is one that may be changed. s itself, which others may be reading, must not be changed any more.
func (s *subjects) copy() *subjects {
	next := *s
	next.generation++
	return &next
}

func (s *subjects) of(k Kind) *tree {
	if k == KindRun {
		return &s.runs
	}
	return &s.refreshes
}

// row is that of a subject, or nil.
func (s *subjects) row(of Subject) *subjectRow {
	t := s.of(of.Kind)
	if t.lacks(of.ID) {
		return nil
	}
	b := t.root
	for level := t.levels - 1; level > 0 && b != nil; level-- {
		b = b.below[digit(of.ID, level)]
	}
	if b == nil {
		return nil
	}
	return b.rows[digit(of.ID, 0)]
}

// all yields the rows by kind and id, as they are when it is called.
func (s *subjects) all() iter.Seq[*subjectRow] {
	runs, refreshes := s.runs.root, s.refreshes.root
	s.generation++
	return func(yield func(*subjectRow) bool) {
		_ = runs.each(yield) && refreshes.each(yield)
	}
}

func (s *subjects) put(row *subjectRow) {
	id, t := row.schedule.Subject.ID, s.of(row.schedule.Subject.Kind)
	for t.lacks(id) {
		if t.root != nil {
			t.root = &branch{generation: s.generation, below: [1 << branchBits]*branch{t.root}}
		}
		t.levels++
	}
	t.root = s.written(t.root, t.levels-1, id, row)
}

func (s *subjects) drop(of Subject) {
	if t := s.of(of.Kind); s.row(of) != nil {
		t.root = s.written(t.root, t.levels-1, of.ID, nil)
	}
}

// written is a branch of a level with a row in its place, nil when nothing is left of it.
func (s *subjects) written(b *branch, level int, id uint64, row *subjectRow) *branch {
	switch {
	case b == nil:
		b = &branch{generation: s.generation}
	case b.generation != s.generation:
		next := *b
		next.generation = s.generation
		b = &next
	}
	if at := digit(id, level); level > 0 {
		b.below[at] = s.written(b.below[at], level-1, id, row)
	} else {
		b.rows[at] = row
	}
	if row == nil && *b == (branch{generation: b.generation}) {
		return nil
	}
	return b
}

// lacks says whether an id is beyond the levels there are.
func (t *tree) lacks(id uint64) bool { return t.levels == 0 || id>>(branchBits*t.levels) > 0 }

func digit(id uint64, level int) uint64 { return id >> (branchBits * level) & branchMask }

// each yields the rows of a branch; false when no more are wanted.
func (b *branch) each(yield func(*subjectRow) bool) bool {
	if b == nil {
		return true
	}
	for i := range b.rows {
		if row := b.rows[i]; !b.below[i].each(yield) || row != nil && !yield(row) {
			return false
		}
	}
	return true
}
