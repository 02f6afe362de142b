package e2e_test

import (
	"context"
	"fmt"

	"github.com/google/go-cmp/cmp"

	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// rolls is every cluster as each peer shows it.
type rolls map[*rig.Peer]map[string]httpd.ClusterDetail

// still waits until nothing more happens and every peer has told all of it to its follower. Streams are by peer.
func (w *world) still(streams map[*rig.Peer]*stream) rolls {
	w.Helper()
	var shown rolls
	w.until("all peers to stand still at the same event", func(ctx context.Context) error {
		before, err := lastEvent(ctx, streams)
		if err != nil {
			return err
		}
		shown = rolls{}
		for p := range streams {
			if shown[p], err = allClusters(ctx, p); err != nil {
				return err
			}
		}
		after, err := lastEvent(ctx, streams)
		if err == nil && before != after {
			err = fmt.Errorf("events went on from %d to %d", before, after)
		}
		return err
	})
	return shown
}

// agreed checks, once all stand still, that all were told the same events without a gap, and that those fold into the views
// that every peer shows.
func (w *world) agreed(streams map[*rig.Peer]*stream) {
	w.Helper()
	shown := w.still(streams)
	var first *stream
	for _, s := range streams {
		gapFree(w.T, s)
		if first == nil {
			first = s
		}
		if diff := cmp.Diff(eventsOf(first), eventsOf(s)); diff != "" {
			w.Fatalf("followers of %s (-) and %s (+) were told differently:\n%s", first.peer, s.peer, diff)
		}
	}
	views := fold(w.T, first.all())
	for p := range streams {
		samePictures(w.T, p.Name, views, shown[p])
	}
}

// lastEvent is the seq of the last event that all peers have and have told their followers.
func lastEvent(ctx context.Context, streams map[*rig.Peer]*stream) (uint64, error) {
	var last uint64
	for p, s := range streams {
		events := s.all()
		if len(events) == 0 {
			return 0, fmt.Errorf("the follower of %s was told nothing yet", p.Name)
		}
		end := events[len(events)-1]
		if last == 0 {
			last = end.Seq
		}
		if end.Seq != last {
			return 0, fmt.Errorf("the follower of %s is at event %d, another one at %d", p.Name, end.Seq, last)
		}
		more, err := p.API.Events(ctx, httpd.EventsQuery{After: end.Cursor}, 1)
		if err != nil {
			return 0, err
		}
		if len(more.Rows) > 0 {
			return 0, fmt.Errorf("%s has events after %d", p.Name, end.Seq)
		}
	}
	return last, nil
}

func eventsOf(s *stream) []httpd.Event {
	var out []httpd.Event
	for _, e := range s.all() {
		out = append(out, e.Event)
	}
	return out
}

// allClusters is every cluster as a peer's own replica has it.
func allClusters(ctx context.Context, p *rig.Peer) (map[string]httpd.ClusterDetail, error) {
	rows, err := httpd.All(ctx, httpd.List{Read: httpd.Read{Stale: true}, Limit: 1000}, p.API.Clusters)
	if err != nil {
		return nil, err
	}
	out := map[string]httpd.ClusterDetail{}
	for _, row := range rows {
		if out[row.Name], _, err = p.API.Cluster(ctx, row.Name, httpd.Read{Stale: true}); err != nil {
			return nil, err
		}
	}
	return out, nil
}
