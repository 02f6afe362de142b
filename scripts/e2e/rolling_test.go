package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// TestRollingRestart restarts groups of three, two and one peer by peer, twice, the leader last, while clients write. They ask peers
// that are not being restarted, as a balancer that goes by /readyz has them do, where there is another one, and try again what was
// surely not done. Every write comes through, and none is lost. How long the longest took is told; that nobody waits for an election is
// held in virtual time, beside package agent.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	for _, peers := range []int{3, 2, 1} {
		t.Run(fmt.Sprint(peers, " peers"), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			g, err := w.rig.Group(w.soon(), program, peers)
			w.must(err)
			r := w.roll(g)
			for range 2 {
				leader := w.leader(g)
				for _, p := range g.Peers {
					if p != leader {
						r.restart(p)
					}
				}
				r.restart(leader)
			}
			r.end()
			t.Logf("%d peers: the longest write of %d took %s, the longest restart %s", peers, r.writes(), r.longest, r.away)
			r.kept()
		})
	}
}

// rolling is a group that is restarted while clients write.
type rolling struct {
	*world
	group *rig.Group
	apis  map[*rig.Peer]*httpd.Client
	stop  context.CancelFunc
	done  sync.WaitGroup

	mu       sync.Mutex
	rotation []*rig.Peer // whom clients ask
	acked    []int       // the last number each client had acknowledged
	longest  time.Duration
	away     time.Duration
}

const (
	rollers   = 4                     // clients that write
	writePace = 10 * time.Millisecond // between two writes of one
)

func (w *world) roll(g *rig.Group) *rolling {
	w.Helper()
	r := &rolling{world: w, group: g, apis: map[*rig.Peer]*httpd.Client{}, rotation: g.Running(), acked: make([]int, rollers)}
	for _, p := range g.Peers {
		api, err := httpd.NewClient(httpd.ClientConfig{Address: p.HTTP, Retry: patience})
		w.must(err)
		r.apis[p] = api
	}
	var ctx context.Context
	ctx, r.stop = context.WithCancel(w.Context())
	for i := range rollers {
		r.done.Go(func() { r.write(ctx, i) })
	}
	w.Cleanup(r.end)
	r.writesOn()
	return r
}

// write writes 1, 2, 3… in one discovery's variables, each until it is acknowledged.
func (r *rolling) write(ctx context.Context, i int) {
	for n := 1; ctx.Err() == nil; n++ {
		spec := object{
			"backend": "file", "config": object{"files": []string{"/nowhere/*.json"}}, "enabled": false, "vars": object{"n": n},
		}
		select {
		case <-time.After(writePace):
		case <-ctx.Done():
			return
		}
		began := time.Now()
		for try := 0; ; try++ {
			_, err := r.apis[r.ask(i+try)].PutDiscovery(context.WithoutCancel(ctx), fmt.Sprint("roller-", i), spec, nil)
			if err == nil {
				break
			}
			if time.Since(began) > patience {
				r.Errorf("write %d of client %d: %v", n, i, err)
				return
			}
		}
		r.mu.Lock()
		r.acked[i], r.longest = n, max(r.longest, time.Since(began))
		r.mu.Unlock()
	}
}

// ask is a peer in rotation.
func (r *rolling) ask(i int) *rig.Peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rotation[i%len(r.rotation)]
}

// restart restarts one peer as an operator does: out of rotation where there is another one, stop, start, wait until all are ready.
func (r *rolling) restart(p *rig.Peer) {
	r.Helper()
	r.turn(func(o *rig.Peer) bool { return o != p || len(r.group.Peers) == 1 })
	began := time.Now()
	r.must(p.Stop())
	r.must(r.group.Enter(p))
	r.must(r.group.Ready(r.soon()))
	r.mu.Lock()
	r.away = max(r.away, time.Since(began))
	r.mu.Unlock()
	r.turn(func(*rig.Peer) bool { return true })
	r.writesOn()
}

// turn says who is in rotation.
func (r *rolling) turn(in func(*rig.Peer) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rotation = nil
	for _, p := range r.group.Peers {
		if in(p) {
			r.rotation = append(r.rotation, p)
		}
	}
}

func (r *rolling) writes() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, acked := range r.acked {
		n += acked
	}
	return n
}

// writesOn waits for some more writes.
func (r *rolling) writesOn() {
	r.Helper()
	enough := r.writes() + 10*rollers
	r.until("writes to go on", func(context.Context) error {
		if n := r.writes(); n < enough {
			return fmt.Errorf("%d were acknowledged, %d are wanted", n, enough)
		}
		return nil
	})
}

func (r *rolling) end() {
	r.stop()
	r.done.Wait()
}

// kept checks that every peer's replica comes to hold the last write of each client, and that each write is one event.
func (r *rolling) kept() {
	r.Helper()
	last := r.group.Peers[0]
	told := map[string]int{}
	for at := (httpd.EventsQuery{Type: string(fsm.DiscoveryApplied)}); ; {
		page, err := last.API.Events(r.soon(), at, 1000)
		r.must(err)
		for _, e := range page.Rows {
			told[rolled(r, e)]++
		}
		if at.After = page.Next; len(page.Rows) == 0 {
			break
		}
	}
	for i, acked := range r.acked {
		name := fmt.Sprint("roller-", i)
		for n := range acked {
			if times := told[fmt.Sprint(name, " ", n+1)]; times != 1 {
				r.Errorf("write %d of %s is %d events", n+1, name, times)
			}
		}
		for _, p := range r.group.Peers {
			r.until(p.Name+" to hold the last write of "+name, func(ctx context.Context) error {
				d, _, err := p.API.Discovery(ctx, name, httpd.Read{Stale: true})
				if want := fsm.JSON(fmt.Sprintf(`{"n":%d}`, acked)); err == nil && d.Vars != want {
					err = fmt.Errorf("it holds %s, acknowledged is %s", d.Vars, want)
				}
				return err
			})
		}
	}
}

// rolled is the client and the number that an event tells.
func rolled(r *rolling, e httpd.Event) string {
	var after struct {
		Name string
		Vars struct{ N int }
	}
	r.must(json.Unmarshal(e.After, &after))
	return fmt.Sprint(after.Name, " ", after.Vars.N)
}
