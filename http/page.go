package httpd

import (
	"context"
	"iter"
	"slices"
)

// page is one page of a list, and the key after which the next begins: empty at the end.
type page[R any] struct {
	rows []R
	next string
}

// source is a list before it is paged: items in the order of their keys, from the key asked for on, and the row of each.
type source[S, R any] struct {
	items  iter.Seq[S]
	key    func(S) string
	row    func(S) R
	sketch sketch[S, R]
}

// sketch makes rows without the fields that are laborious to make, for filters that look at none of those.
type sketch[S, R any] struct {
	lacks []string
	row   func(S) R // nil when a list has no sketches
}

// matching is the row of an item if the filter lets it pass.
func (s source[S, R]) matching(item S, f *filter) (row R, ok bool) {
	if f != nil && s.sketch.row != nil && !slices.ContainsFunc(s.sketch.lacks, func(name string) bool { return f.asks[name] }) {
		if row = s.sketch.row(item); !f.match(&row) {
			return row, false
		}
		f = nil
	}
	row = s.row(item)
	ok = f.match(&row)
	return row, ok
}

// page makes the rows of one page. It examines at most maxExamined items, so a filtered page may be short and have a next.
func (s source[S, R]) page(ctx context.Context, l listing) (page[R], error) {
	out := page[R]{rows: []R{}}
	examined, last := 0, l.after
	for item := range s.items {
		if len(out.rows) == l.limit || examined == maxExamined {
			out.next = last
			return out, nil
		}
		if err := ctx.Err(); err != nil {
			return out, err
		}
		examined++
		last = s.key(item)
		if row, ok := s.matching(item, l.filter); ok {
			out.rows = append(out.rows, row)
		}
	}
	return out, nil
}

// skipTo leaves out items whose key is not after the one given; keys come in order.
func skipTo[S any](items iter.Seq[S], key func(S) string, after string) iter.Seq[S] {
	if after == "" {
		return items
	}
	return func(yield func(S) bool) {
		for item := range items {
			if key(item) > after && !yield(item) {
				return
			}
		}
	}
}
