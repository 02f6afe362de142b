package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// pen is one way to write a number, and to find the last one that was written.
type pen struct {
	what  string
	write func(ctx context.Context, api *httpd.Client, n int) error
	tells []want // an event of each write is one of these
	last  func(roll) int
}

// TestWordOfALonePeer kills a peer that is alone in the middle of a stream of writes. Its disk must give back each that was
// acknowledged, with its event, and all that was said and seen before.
func TestWordOfALonePeer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.fleet(14, 3)
	g, p := w.lone("peer-a")
	w.must(p.Start("-bootstrap-expect", "1"))
	w.must(g.Ready(w.soon()))
	w.apply(p, "fleet", f.discovery())
	w.allHealthy(p, f.clusters)
	w.act(f, "stop", f.cluster(3), f.node(3, 1))
	w.reason(g, f.cluster(3), f.node(3, 1), fsm.ReasonRefused)
	word := operatorsWord(f)
	for _, s := range word {
		_, err := s.say(w.soon(), p.API)
		w.must(err)
	}
	before := w.stillRoll(p, f)

	pens := pensOf(f)
	writers := w.writing(w.Context(), p, len(pens), func(ctx context.Context, api *httpd.Client, i, n int) error {
		return pens[i].write(ctx, api, n)
	})
	w.until("each to have written some", func(context.Context) error {
		for i := range pens {
			if n := writers.acked[i].Load(); n < 25 {
				return fmt.Errorf("%s was written %d times", pens[i].what, n)
			}
		}
		return nil
	})
	p.Kill()
	writers.done.Wait()
	w.must(p.Start())
	w.must(g.Ready(w.soon()))

	after, err := readRoll(w.soon(), p)
	w.must(err)
	w.follows(before, after)
	total := 0
	for i, pen := range pens {
		var refused *httpd.StatusError
		if errors.As(writers.failed[i], &refused) {
			t.Errorf("%s was refused before the peer was killed: %s", pen.what, refused)
		}
		acked, kept, told := int(writers.acked[i].Load()), pen.last(after), 0
		for _, e := range after.Events[len(before.Events):] {
			if slices.ContainsFunc(pen.tells, func(k want) bool { return k.matches(e) }) {
				told++
			}
		}
		// The one that was under way may or may not be there.
		if kept < acked || kept > acked+1 || told != kept {
			t.Errorf("%s: %d writes were acknowledged, %d are there, %d events tell of them", pen.what, acked, kept, told)
		}
		total += acked
	}
	t.Logf("%d writes were acknowledged before the kill", total)
	for _, s := range word {
		w.shows(p, s, httpd.Read{})
	}
	sameRoll(t, "before the kill and after it", untouched(f, before), untouched(f, after))
}

// untouched is a roll with the clusters that no pen writes to.
func untouched(f *fleet, r roll) roll {
	out := roll{Group: r.Group, Epoch: r.Epoch, Clusters: map[string]httpd.ClusterDetail{}, Events: r.Events}
	for i := range firstPen {
		out.Clusters[f.cluster(i)] = r.Clusters[f.cluster(i)]
	}
	return out
}

// firstPen is the first cluster that a pen writes to.
const firstPen = 6

// pensOf are pens for each kind of thing that operators write.
func pensOf(f *fleet) []pen {
	settings, spec := fsm.DefaultSettings(), f.discoveryWithWord()
	settings.Settable = wordOfAll
	least := settings.Retention.Audit
	pens := []pen{{
		what: "settings", tells: []want{{kind: fsm.SettingsChanged}},
		write: func(ctx context.Context, api *httpd.Client, n int) error {
			settings.Retention.Audit = least + n
			_, err := api.PutSettings(ctx, settings, nil)
			return err
		},
		last: func(r roll) int { return r.Settings.Retention.Audit - least },
	}, {
		what: "a discovery", tells: []want{{kind: fsm.DiscoveryApplied}},
		write: func(ctx context.Context, api *httpd.Client, n int) error {
			spec["remove_after"] = fmt.Sprintf("%ds", 3600+n)
			_, err := api.PutDiscovery(ctx, "fleet", spec, nil)
			return err
		},
		last: func(r roll) int { return int(r.Discoveries[0].RemoveAfter/fsm.Second) - 3600 },
	}}
	for i := range 2 {
		pens = append(pens, clusterPen(f.cluster(firstPen+i)), nodePen(f.cluster(firstPen+2+i), f.node(firstPen+2+i, i)),
			movePen(f.cluster(firstPen+4+i), f.node(firstPen+4+i, i)))
	}
	return pens
}

func numbered(n int) object { return object{"vars": object{"n": n}} }

// numberOf reads what numbered wrote.
func numberOf(vars fsm.JSON) (n int) {
	_, _ = fmt.Sscanf(string(vars), `{"n":%d}`, &n)
	return n
}

func clusterPen(name string) pen {
	return pen{
		what: name, tells: []want{{fsm.ClusterSettingsChanged, name, ""}},
		write: func(ctx context.Context, api *httpd.Client, n int) error {
			_, err := api.PatchCluster(ctx, name, numbered(n), nil)
			return err
		},
		last: func(r roll) int { return numberOf(r.Clusters[name].Settings.Vars) },
	}
}

func nodePen(cluster, id string) pen {
	ref := fsm.NodeRef{Cluster: cluster, Node: id}
	return pen{
		what: ref.String(), tells: []want{{fsm.NodeSettingsChanged, cluster, id}},
		write: func(ctx context.Context, api *httpd.Client, n int) error {
			_, err := api.PatchNode(ctx, ref, numbered(n), nil)
			return err
		},
		last: func(r roll) int { return numberOf(nodeOf(r.Clusters[cluster], id).Vars) },
	}
}

// movePen moves a node into maintenance with odd numbers, and out of it with even ones.
func movePen(cluster, id string) pen {
	words := []fsm.Lifecycle{fsm.Commissioned, fsm.Maintenance}
	tells := []want{{fsm.NodeResumed, cluster, id}, {fsm.NodeMaintenance, cluster, id}}
	return pen{
		what: "the lifecycle of " + id, tells: tells,
		write: func(ctx context.Context, api *httpd.Client, n int) error {
			_, err := api.Transition(ctx, httpd.Transition{To: words[n%2], Nodes: []string{cluster + "/" + id}})
			return err
		},
		last: func(r roll) int {
			n := 0
			for _, e := range r.Events {
				if tells[0].matches(e) || tells[1].matches(e) {
					n++
				}
			}
			if nodeOf(r.Clusters[cluster], id).Lifecycle != words[n%2] {
				return -1
			}
			return n
		},
	}
}

// writers write to one peer, each what is its own, all at once and as fast as they can.
type writers struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
	acked  []atomic.Int64 // the last number that each had acknowledged
	failed []error        // what each ended with
}

// writing starts writers; each counts from 1 and ends with the first write that fails.
func (w *world) writing(
	ctx context.Context, p *rig.Peer, count int, write func(ctx context.Context, api *httpd.Client, i, n int) error,
) *writers {
	w.Helper()
	api, err := httpd.NewClient(httpd.ClientConfig{
		Address: p.HTTP, HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: count}},
	})
	w.must(err)
	all := &writers{acked: make([]atomic.Int64, count), failed: make([]error, count)}
	ctx, all.cancel = context.WithCancel(ctx)
	for i := range count {
		all.done.Go(func() {
			for n := 1; ctx.Err() == nil; n++ {
				if err := write(ctx, api, i, n); err != nil {
					all.failed[i] = err
					return
				}
				all.acked[i].Store(int64(n))
			}
		})
	}
	return all
}

// stop lets the writers end.
func (a *writers) stop() {
	a.cancel()
	a.done.Wait()
}

// wrong is what ended writers before they were stopped.
func (a *writers) wrong() error {
	var all []error
	for i, err := range a.failed {
		if err != nil && !errors.Is(err, context.Canceled) {
			all = append(all, fmt.Errorf("writer %d: %w", i, err))
		}
	}
	return errors.Join(all...)
}
