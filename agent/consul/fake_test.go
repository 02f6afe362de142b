package consul_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/agent/consul"
	"github.com/musterhq/muster/agent/memnet"
	"github.com/musterhq/muster/discovery"
)

// fake is an agent of Consul in a bubble, which answers as told and remembers what it was asked.
type fake struct {
	net    *memnet.Network
	server *http.Server

	mu    sync.Mutex
	asked []string
	has   map[string]any // what is registered, nil for nothing
	mute  bool           // it does not answer
	token string         // the one that is good; "" takes all
	said  strings.Builder
}

const at = "consul:8500"

func startFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{net: memnet.New()}
	f.server = &http.Server{Handler: f, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0), ReadHeaderTimeout: time.Hour}
	f.listen(t)
	return f
}

// Write takes what a peer logs.
func (f *fake) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.said.Write(line)
}

func (f *fake) listen(t *testing.T) {
	t.Helper()
	l := f.net.Listen(at)
	go func() { _ = f.server.Serve(l) }()
	t.Cleanup(func() { _ = f.server.Close() })
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body) // all of it, or the server does not notice that its caller has gone
	f.mu.Lock()
	f.asked = append(f.asked, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/v1/agent/"))
	mute, refuses := f.mute, f.token != "" && f.token != r.Header.Get("X-Consul-Token")
	f.mu.Unlock()
	if mute {
		<-r.Context().Done()
		return
	}
	if refuses {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch op := r.Method + " " + r.URL.Path; {
	case op == "PUT /v1/agent/service/register":
		f.has = map[string]any{}
		_ = json.Unmarshal(raw, &f.has)
		f.has["Service"] = f.has["Name"]
	case f.has == nil:
		w.WriteHeader(http.StatusNotFound)
	case op == "GET /v1/agent/service/muster-01A":
		_ = json.NewEncoder(w).Encode(f.has)
	}
}

// heard is what was asked since the last call, each kind with its count.
func (f *fake) heard() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	count := map[string]int{}
	for _, a := range f.asked {
		if count[a]++; count[a] == 1 {
			out = append(out, a)
		}
	}
	for i, a := range out {
		out[i] = fmt.Sprintf("%d %s", count[a], a)
	}
	f.asked = nil
	return strings.Join(out, ", ")
}

func (f *fake) set(to func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	to()
}

// during runs a peer in a bubble beside a fake.
func during(t *testing.T, run func(*testing.T, *fake, *peer), as ...func(*consul.Instance, *consul.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := startFake(t)
		p := registered(t, consul.Config{Address: at}, discovery.Env{Dial: f.net.DialFrom("peer"), Log: slog.New(slog.NewTextHandler(f, nil))}, as...)
		run(t, f, p)
		p.stop()
		p.Close()
		_ = f.server.Close()
	})
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }
