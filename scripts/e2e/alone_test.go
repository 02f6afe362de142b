package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// TestWordOfALonePeer kills a peer that is alone, again and again, in the middle of a stream of writes. Its disk must give
// back each that was acknowledged, with its event, and all that was said and seen before.
func TestWordOfALonePeer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.fleet(firstPen+2, 3)
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
	written := make([]int, len(pens))
	for range kills {
		w.killedWriting(g, pens, written)
		after, err := readRoll(w.soon(), p)
		w.must(err)
		w.follows(before, after)
		for _, s := range word {
			w.shows(p, s, httpd.Read{})
		}
		sameRoll(t, "before the kill and after it", untouched(f, before), untouched(f, after))
		for i := range pens {
			w.kept(&pens[i], &written[i], before, after)
		}
	}
	t.Logf("%d writes survived %d kills", written, kills)
}

// kills is how often the peer is killed: what was acknowledged last is at stake for a moment only.
const kills = 4

// killedWriting kills the lone peer while all pens write, and starts it again. To what each had written is added what was
// acknowledged.
func (w *world) killedWriting(g *rig.Group, pens []pen, written []int) {
	w.Helper()
	p := g.Peers[0]
	writers := w.writing(w.Context(), p, len(pens), func(ctx context.Context, api *httpd.Client, i, n int) error {
		return pens[i].write(ctx, api, written[i]+n)
	})
	w.until("each to have written some", func(context.Context) error {
		for i := range pens {
			if n := writers.acked[i].Load(); n < 10 {
				return fmt.Errorf("%s was written %d times", pens[i].what, n)
			}
		}
		return nil
	})
	p.Kill()
	writers.done.Wait()
	for i := range pens {
		written[i] += int(writers.acked[i].Load())
		if refused, ok := errors.AsType[*httpd.StatusError](writers.failed[i]); ok {
			w.Errorf("%s was refused before the peer was killed: %s", pens[i].what, refused)
		}
	}
	w.must(p.Start())
	w.must(g.Ready(w.soon()))
}

// kept checks that what was acknowledged to a pen is there, told by one event each. The write that was under way may be
// there or not, and is counted as written if it is.
func (w *world) kept(k *pen, written *int, before, after roll) {
	w.Helper()
	there, told := k.last(after), 0
	for _, e := range after.Events[len(before.Events):] {
		if slices.ContainsFunc(k.tells, func(k want) bool { return k.matches(e) }) {
			told++
		}
	}
	if there < *written || there > *written+1 || told != there {
		w.Errorf("%s: %d writes were acknowledged, %d are there, %d events tell of them", k.what, *written, there, told)
	}
	*written = there
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
	// Of one cluster, so that they are in each other's way.
	for i := range 2 {
		name, id := f.cluster(firstPen), f.node(firstPen, i)
		pens = append(pens, clusterPen(f.cluster(firstPen+i)), nodePen(name, id), movePen(name, id))
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
