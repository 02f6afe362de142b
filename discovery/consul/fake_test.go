package consul_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/discovery/consul"
	"github.com/musterhq/muster/fsm"
)

// fake answers the catalog's calls as Consul does, blocking queries too, over connections that exist in memory only.
type fake struct {
	mu       sync.Mutex
	index    uint64
	indexes  map[string]uint64 // of the last change of each service
	services map[string][]*api.CatalogService
	moved    chan struct{}
	fault    func(w http.ResponseWriter, r *http.Request) (done bool)
	asked    []string // what was asked for, in order, with the index waited past

	conns chan net.Conn
	ended chan struct{}
}

func startFake(t testing.TB) *fake {
	f := &fake{
		index: 10, indexes: map[string]uint64{}, services: map[string][]*api.CatalogService{}, moved: make(chan struct{}),
		conns: make(chan net.Conn), ended: make(chan struct{}),
	}
	server := &http.Server{Handler: f}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(f)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return f
}

// Accept, Close and Addr make a fake the listener of its own server.
func (f *fake) Accept() (net.Conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-f.ended:
		return nil, net.ErrClosed
	}
}

func (f *fake) Close() error   { close(f.ended); return nil }
func (f *fake) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (f *fake) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case f.conns <- server:
		return client, nil
	case <-f.ended:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// open makes a backend that asks the fake, in a pool of its own.
func (f *fake) open(t *testing.T, config string) discovery.Backend {
	return f.openIn(t, consul.NewPool(), config)
}

func (f *fake) openIn(t *testing.T, pool *consul.Pool, config string) discovery.Backend {
	t.Helper()
	b, err := pool.Make(fsm.JSON(config), discovery.Env{Dial: f.dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.(interface{ Close() error }).Close() })
	return b
}

// instance is one of a service as a catalog holds it.
func instance(service, id string, port int) *api.CatalogService {
	return &api.CatalogService{
		Node: "host-1", Address: "10.0.0.1", Datacenter: "dc1", ServiceID: id, ServiceName: service, ServicePort: port,
		ServiceAddress: "10.0.0.7",
	}
}

// set makes a service have these instances, none to take it away.
func (f *fake) set(service string, instances ...*api.CatalogService) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.index++
	f.indexes[service] = f.index
	if f.services[service] = instances; len(instances) == 0 {
		delete(f.services, service)
	}
	close(f.moved)
	f.moved = make(chan struct{})
}

// breakWith puts a fault in the way of every call; nil takes it away.
func (f *fake) breakWith(fault func(w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = fault
}

// calls are those asked for since the last time, and an index other than 0 after a "?".
func (f *fake) calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.asked
	f.asked = nil
	return out
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := strings.TrimPrefix(r.URL.Path, "/v1/")
	if index := r.URL.Query().Get("index"); index != "" {
		call += "?" + index
	}
	f.mu.Lock()
	f.asked = append(f.asked, call)
	fault := f.fault
	f.mu.Unlock()
	w.Header().Set("X-Consul-KnownLeader", "true")
	w.Header().Set("X-Consul-LastContact", "0")
	if fault != nil && fault(w, r) {
		return
	}
	switch path, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/catalog/"), "/"); path {
	case "services":
		f.answer(w, r, f.list)
	case "service":
		f.answer(w, r, func() (any, uint64) { return f.of(name) })
	default:
		http.Error(w, "ACL support disabled", http.StatusUnauthorized)
	}
}

func (f *fake) list() (any, uint64) {
	out := map[string][]string{}
	for name, instances := range f.services {
		out[name] = []string{}
		for _, i := range instances {
			out[name] = append(out[name], i.ServiceTags...)
		}
	}
	return out, f.index
}

func (f *fake) of(name string) (any, uint64) {
	out := f.services[name]
	if out == nil {
		out = []*api.CatalogService{}
	}
	return out, max(f.indexes[name], 1)
}

// answer writes what look sees, once its index has passed the one asked for or the wait is over.
func (f *fake) answer(w http.ResponseWriter, r *http.Request, look func() (any, uint64)) {
	past, _ := strconv.ParseUint(r.URL.Query().Get("index"), 10, 64)
	wait, _ := time.ParseDuration(r.URL.Query().Get("wait"))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		f.mu.Lock()
		body, index := look()
		raw, err := json.Marshal(body)
		moved := f.moved
		f.mu.Unlock()
		if past == 0 || index > past || err != nil {
			writeAnswer(w, index, raw)
			return
		}
		select {
		case <-moved:
		case <-timer.C:
			writeAnswer(w, index, raw)
			return
		case <-r.Context().Done():
			return
		}
	}
}

func writeAnswer(w http.ResponseWriter, index uint64, raw []byte) {
	w.Header().Set("X-Consul-Index", fmt.Sprint(index))
	_, _ = w.Write(raw)
}

// on limits a fault to calls whose path begins so.
func on(path string, fault http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/v1/"+path) {
			return false
		}
		fault(w, r)
		return true
	}
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, body, code) }
}

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { writeAnswer(w, 20, []byte(body)) }
}
