package fsm

import (
	"bytes"
	"context"
	"fmt"
	"math"
)

// checkEvery is after how many events a walk through them looks whether it is still wanted.
const checkEvery = 1024

// AsOf is the view of a cluster as it was after the event of that seq, by unfolding what came since, and the time of that
// event. Its Cluster is nil when there was none of that name. The error has CodeGone where the events are no longer kept, or
// the epoch was cut since; CodeInvalid for a seq that is still to come. It walks all events since: 64 MiB of them at the
// default limits take tens of milliseconds.
func (r *Reader) AsOf(ctx context.Context, name string, seq uint64) (*View, Time, error) {
	at, err := r.timeOf(seq)
	if err != nil {
		return nil, 0, err
	}
	v := &View{Nodes: map[string]*Node{}}
	if c := r.Cluster(name); c != nil {
		v = r.View(c.ID)
	}
	n := 0
	for e := range r.eventsBack(math.MaxUint64, seq) {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		n++
		if err := unfoldRow(v, name, e); err != nil {
			return nil, 0, err
		}
	}
	return named(v, name), at, nil
}

// named is a view whose cluster has its name, which no event tells: one that was removed since has none yet.
func named(v *View, name string) *View {
	if c := v.Cluster; c != nil && c.Name == "" {
		row := *c
		row.Name = name
		v.Cluster = &row
	}
	return v
}

// unfoldRow takes an event back if it is about the cluster. Most are not, which their bytes tell before they are decoded.
func unfoldRow(v *View, name string, row *eventRow) error {
	if !bytes.Contains(row.Raw, []byte(name)) {
		return nil
	}
	var e Event
	if err := decode(row.Raw, &e); err != nil {
		return fmt.Errorf("event %d: %w", row.Seq, err)
	}
	if e.Cluster != name {
		return nil
	}
	if _, err := lensOf(e.Type); err != nil {
		return nil //nolint:nilerr // it is no part of a view
	}
	if err := Unfold(v, e.Fact); err != nil {
		return fmt.Errorf("event %d: unfold: %w", row.Seq, err)
	}
	return nil
}

// OldestView is the first place of which AsOf knows the views: before the first kept event, but not before the first of the
// current epoch, since what an epoch begins with is not what the events before led to.
func (m *Meta) OldestView() Cursor {
	oldest := m.First - 1
	if n := len(m.Epochs); n > 1 {
		oldest = max(oldest, m.Epochs[n-1].First)
	}
	return m.Cursor(oldest)
}

// timeOf is the time of the event of that seq, or that of the first kept one for the seq before it.
func (r *Reader) timeOf(seq uint64) (Time, error) {
	m := r.Meta()
	oldest := m.OldestView()
	switch {
	case seq < oldest.Seq:
		return 0, Errorf(CodeGone, "what was before event %d is no longer known", oldest.Seq).With("oldest", oldest.String())
	case seq > m.Seq:
		return 0, Invalid("at", "event %d is still to come; the last one is %d", seq, m.Seq)
	}
	for e := range r.eventRows(seq) {
		return e.Time, nil
	}
	return m.Time, nil
}
