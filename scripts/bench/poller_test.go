package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTargetsAreSharedAmongProcesses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "fleet.json")
	text := `[{"cluster":"a","nodes":[{"address":"127.10.0.0","port":80},{"address":"127.10.0.1","port":81}]},
{"cluster":"b","nodes":[{"address":"127.10.0.2","port":80}]}]`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	urls, err := targets(file)
	want := []string{"http://127.10.0.0:80/v1/node", "http://127.10.0.1:81/v1/node", "http://127.10.0.2:80/v1/node"}
	if diff := cmp.Diff(want, urls); err != nil || diff != "" {
		t.Fatalf("(-want +got): %v\n%s", err, diff)
	}
	var all []string
	for part := range 2 {
		all = append(all, share(urls, part, 2)...)
	}
	if diff := cmp.Diff([]string{want[0], want[2], want[1]}, all); diff != "" {
		t.Errorf("shares (-want +got):\n%s", diff)
	}
}

func TestConnectionsStayBelowTheLimit(t *testing.T) {
	for _, test := range []struct {
		nodes int
		files uint64
		want  int
	}{{1000, 20000, 1000}, {33333, 20000, 18976}, {18976, 20000, 18976}, {10, 100, 0}} {
		if got := keepable(test.nodes, test.files); got != test.want {
			t.Errorf("%d nodes with %d files: %d connections, want %d", test.nodes, test.files, got, test.want)
		}
	}
	var kept []bool
	for _, n := range newPoller(make([]string, 6), spareFiles+2).nodes {
		kept = append(kept, n.keep)
	}
	if diff := cmp.Diff([]bool{false, false, true, false, false, true}, kept); diff != "" {
		t.Errorf("nodes with a connection of their own (-want +got):\n%s", diff)
	}
}

// node answers as a node does and remembers who asked for what.
type node struct {
	mu    sync.Mutex
	tags  []string
	conns map[string]bool
}

func (n *node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tags = append(n.tags, r.Header.Get("If-None-Match"))
	n.conns[r.RemoteAddr] = true
	w.Header().Set("ETag", `"x"`)
	if r.Header.Get("If-None-Match") == `"x"` {
		w.WriteHeader(http.StatusNotModified)
	}
}

func TestBareClientKeepsTagsAndConnections(t *testing.T) {
	for _, keep := range []bool{true, false} {
		n := &node{conns: map[string]bool{}}
		server := httptest.NewServer(n)
		p := newPoller([]string{server.URL + "/v1/node"}, 20000)
		p.nodes[0].keep = keep
		for range 3 {
			p.all(t.Context())
		}
		server.Close()
		want := cost{Polls: 3, Dialed: 3}
		if keep {
			want.Dialed = 1
		}
		if got := p.cost(); got != want || len(n.conns) != want.Dialed || !slices.Equal(n.tags, []string{"", `"x"`, `"x"`}) {
			t.Errorf("keeping %v: %+v with tags %q over %d connections, want %+v", keep, got, n.tags, len(n.conns), want)
		}
		p.all(t.Context())
		if got := p.cost(); got.Errors != 1 {
			t.Errorf("keeping %v: %+v, want an error since nobody answers", keep, got)
		}
	}
}

// answers is a network on which every node answers at once.
type answers struct {
	mu   sync.Mutex
	when map[string][]time.Time
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.when[r.URL.Path] = append(a.when[r.URL.Path], time.Now())
	return &http.Response{StatusCode: http.StatusNotModified, Body: io.NopCloser(bytes.NewReader(nil))}, nil
}

func TestPacedPollsComeOnceAnInterval(t *testing.T) {
	for _, step := range []time.Duration{beat, 10 * time.Second / 40} {
		synctest.Test(t, func(t *testing.T) {
			var urls []string
			for i := range 40 {
				urls = append(urls, fmt.Sprintf("http://node/%d", i))
			}
			p := newPoller(urls, 20000)
			a := &answers{when: map[string][]time.Time{}}
			p.kept = &http.Client{Transport: a}
			p.paced(t.Context(), asking{Interval: 10 * time.Second, Span: 30*time.Second + time.Millisecond}, step)
			if got := p.cost(); got.Polls != 120 || got.Errors != 0 {
				t.Errorf("%+v, want 40 nodes three times", got)
			}
			for path, when := range a.when {
				if len(when) != 3 || when[1].Sub(when[0]) != 10*time.Second || when[2].Sub(when[1]) != 10*time.Second {
					t.Errorf("%s was asked at %v", path, when)
				}
			}
		})
	}
}

func TestBaselineChildTellsItsCost(t *testing.T) {
	n := &node{conns: map[string]bool{}}
	server := httptest.NewServer(n)
	defer server.Close()
	port := server.Listener.Addr().String()[len("127.0.0.1:"):]
	file := filepath.Join(t.TempDir(), "fleet.json")
	if err := os.WriteFile(file, []byte(`[{"nodes":[{"address":"127.0.0.1","port":`+port+`}]}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(asking{Pace: "saturated", File: file, Interval: time.Second, Span: time.Millisecond, Of: 1})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := program(t.Context(), []string{"baseline", string(text)}, &out); err != nil {
		t.Fatal(err)
	}
	var c cost
	if err := json.Unmarshal(out.Bytes(), &c); err != nil {
		t.Fatal(err)
	}
	if c.Polls < 1 || c.Polls != len(n.tags)-1 || c.Dialed != 0 || c.CPU <= 0 || c.micros() <= 0 {
		t.Errorf("%+v after %d requests; the first of them is not to be counted", c, len(n.tags))
	}
}
