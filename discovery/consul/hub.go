package consul

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"
	"golang.org/x/time/rate"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
)

// hub is the watch that the backends of a source share. The first to join starts it, the last to leave ends it and waits
// for that; in between it outlives whoever started it.
type hub struct {
	source *source

	life   sync.Mutex // joining and leaving take turns
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu          sync.Mutex
	begin       func(name string) *watched // starts the query of one service
	subscribers []*subscriber
	services    map[string][]string // the last list; nil before the first
	watched     map[string]*watched
}

// subscriber is one backend's Watch.
type subscriber struct {
	selected selection
	most     int // services watched one by one
	nudges   *discovery.Nudges
}

// watched is a service with a blocking query of its own.
type watched struct {
	cancel context.CancelFunc
	known  bool // its first answer has come, so that no change after it is missed
}

func newHub(s *source) *hub { return &hub{source: s} }

func (h *hub) join(ctx context.Context, s *subscriber) {
	h.life.Lock()
	defer h.life.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subscribers = append(h.subscribers, s)
	if h.cancel == nil {
		h.start(context.WithoutCancel(ctx))
		return
	}
	if h.services == nil {
		return // the first list will tell everyone
	}
	h.arrange()
	for name, tags := range h.services {
		if w := h.watched[name]; s.selects(name, tags) && (w == nil || w.known) {
			s.nudges.Add(name)
		}
	}
}

// start begins the watch; both locks are held.
func (h *hub) start(ctx context.Context) {
	ctx, h.cancel = context.WithCancel(ctx)
	h.services, h.watched = nil, map[string]*watched{}
	ramp := rate.NewLimiter(50, 16) // a new watch is no burst on the servers
	h.begin = func(name string) *watched {
		ctx, cancel := context.WithCancel(ctx)
		w := &watched{cancel: cancel}
		h.all.Go(func() {
			if ramp.Wait(ctx) == nil {
				h.followService(ctx, name, w)
			}
		})
		return w
	}
	h.all.Go(func() { h.followList(ctx) })
}

func (h *hub) leave(s *subscriber) {
	h.life.Lock()
	defer h.life.Unlock()
	h.mu.Lock()
	h.subscribers = slices.DeleteFunc(h.subscribers, func(o *subscriber) bool { return o == s })
	last := len(h.subscribers) == 0
	if last {
		h.cancel()
	} else {
		h.arrange()
	}
	h.mu.Unlock()
	if last {
		h.all.Wait()
		h.cancel = nil
	}
}

func (h *hub) followList(ctx context.Context) {
	var list map[string][]string
	follow(ctx, query{
		pace: rate.NewLimiter(1, 4),
		ask: func(ctx context.Context, how call) (answer, error) {
			got, meta, err := h.source.listAt(ctx, how)
			if err != nil {
				return answer{}, err
			}
			for _, tags := range got {
				slices.Sort(tags)
			}
			list = got
			mark, err := fingerprint(got)
			return answer{index: meta.LastIndex, print: mark}, err
		},
		changed: func() { h.listed(list) },
		failed: func(err error, failures int) {
			if failures == 1 {
				h.source.log.Warn("watching consul is interrupted, changes are seen at the interval", "error", err)
			}
		},
	})
}

// listed takes a new list: it tells each subscriber what moved among the services it selects, save those whose watch
// only now begins, which tell so themselves with their first answer.
func (h *hub) listed(now map[string][]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.services
	h.services = now
	h.arrange()
	for _, name := range sortedNames(now) {
		if was, ok := before[name]; !ok || !slices.Equal(was, now[name]) {
			h.tell(name, was, now[name])
		}
	}
	for name, was := range before {
		if _, ok := now[name]; !ok {
			h.tell(name, was, nil)
		}
	}
}

// tell nudges those who select a service as it was or as it is.
func (h *hub) tell(name string, was, is []string) {
	if w := h.watched[name]; w != nil && !w.known {
		return
	}
	for _, s := range h.subscribers {
		if s.selects(name, was) || s.selects(name, is) {
			s.nudges.Add(name)
		}
	}
}

func (s *subscriber) selects(name string, tags []string) bool { return s.selected.listed(name, tags) }

// arrange makes the watched services those that subscribers select, each up to its number, up to maxWatched in all.
func (h *hub) arrange() {
	want := map[string]bool{}
	names := sortedNames(h.services)
	for _, s := range h.subscribers {
		left := s.most
		for _, name := range names {
			if left == 0 {
				break
			}
			if s.selects(name, h.services[name]) && (want[name] || len(want) < maxWatched) {
				want[name] = true
				left--
			}
		}
	}
	for name, w := range h.watched {
		if !want[name] {
			w.cancel()
			delete(h.watched, name)
		}
	}
	for name := range want {
		if h.watched[name] == nil {
			h.watched[name] = h.begin(name)
		}
	}
}

func (h *hub) followService(ctx context.Context, name string, w *watched) {
	follow(ctx, query{
		pace: rate.NewLimiter(rate.Every(200*time.Millisecond), 8),
		ask: func(ctx context.Context, how call) (answer, error) {
			instances, meta, err := h.source.instances(ctx, name, how)
			if err != nil {
				return answer{}, err
			}
			mark, err := fingerprint(contents(instances))
			return answer{index: meta.LastIndex, print: mark}, err
		},
		changed: func() { h.moved(ctx, name, w) },
		failed: func(err error, failures int) {
			h.source.log.Debug("watching a consul service failed", "service", name, "failures", failures, "error", err)
		},
	})
}

// moved tells what the query of one service saw.
func (h *hub) moved(ctx context.Context, name string, w *watched) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ctx.Err() != nil {
		return
	}
	w.known = true
	h.tell(name, h.services[name], h.services[name])
}

// contents is what of a service's instances makes a difference to a record, in a fixed order.
func contents(instances []*api.CatalogService) []fsm.Record {
	out := make([]fsm.Record, 0, len(instances))
	for _, i := range instances {
		r, err := record(i)
		if err != nil {
			r.Source += ": " + err.Error()
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b fsm.Record) int {
		if c := strings.Compare(a.Source, b.Source); c != 0 {
			return c
		}
		return strings.Compare(a.Node, b.Node)
	})
	return out
}
