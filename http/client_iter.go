package httpd

import (
	"context"
	"errors"
	"iter"
)

// Rows goes through a list page by page, as far as it is asked for. The first error is the last thing it yields. Of a blocking read
// only the first page waits.
func Rows[T any](ctx context.Context, o List, read func(context.Context, List) (Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			p, err := read(ctx, o)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, row := range p.Rows {
				if !yield(row, nil) {
					return
				}
			}
			if p.Next == "" {
				return
			}
			o.After, o.Index = p.Next, 0
		}
	}
}

// All reads all pages of a list, one after the other.
func All[T any](ctx context.Context, o List, read func(context.Context, List) (Page[T], error)) ([]T, error) {
	var out []T
	for row, err := range Rows(ctx, o, read) {
		if err != nil {
			return out, err
		}
		out = append(out, row)
	}
	return out, nil
}

var errEnough = errors.New("no more events are wanted")

// Following is Follow as a sequence: events in order, over as many connections as it takes, and then the error that ended it. It
// has none where the loop ends first.
func (c *Client) Following(ctx context.Context, o EventsQuery) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		err := c.Follow(ctx, o, func(e Event) error {
			if !yield(e, nil) {
				return errEnough
			}
			return nil
		})
		if !errors.Is(err, errEnough) {
			yield(Event{}, err)
		}
	}
}
