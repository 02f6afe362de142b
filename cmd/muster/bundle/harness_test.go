package bundle_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/musterhq/muster/cmd/muster/bundle"
	"github.com/musterhq/muster/cmd/muster/bundle/bundletest"
	httpd "github.com/musterhq/muster/http"
)

// peer answers as a peer does, without a network, so that time may be virtual. Its answers flow as they are written.
type peer struct {
	t       *testing.T
	answers map[string]http.HandlerFunc // by path

	mu    sync.Mutex
	asked []string
	group sync.WaitGroup
}

func newPeer(t *testing.T) *peer {
	p := &peer{t: t, answers: map[string]http.HandlerFunc{}}
	p.on("/v1/agent/self", httpd.Self{Member: httpd.Member{ID: "01A", Name: "peer a/1", Version: "0.1.0"}, Group: "muster"})
	p.on("/readyz", httpd.Readiness{Status: "ok"})
	p.on("/v1/agent/configuration", httpd.Configuration{})
	p.on("/v1/agent/host", httpd.Host{Name: "here"})
	p.on("/v1/agent/members", []httpd.Member{})
	p.on("/v1/operator/raft/configuration", httpd.RaftConfiguration{})
	p.on("/v1/operator/usage", httpd.Usage{})
	p.on("/v1/clusters", []httpd.ClusterRow{{Name: "orders"}})
	p.on("/v1/discoveries", []httpd.DiscoveryRow{})
	p.on("/v1/claims", []httpd.ClaimRow{})
	p.says("/metrics", "muster_x 1\n")
	p.says("/debug/pprof/heap", "heap")
	p.says("/debug/pprof/goroutine", "goroutines")
	p.takes("/debug/pprof/profile", "cpu")
	p.takes("/debug/pprof/trace", "trace")
	p.answers["/v1/agent/monitor"] = p.logs
	return p
}

func (p *peer) on(path string, v any) {
	p.answers[path] = func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(v) }
}

func (p *peer) says(path, text string) {
	p.answers[path] = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// takes answers after as many seconds as are asked for.
func (p *peer) takes(path, text string) {
	p.answers[path] = func(w http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.URL.Query().Get("seconds") + "s")
		if err != nil {
			p.t.Error(err)
		}
		select {
		case <-time.After(d):
			_, _ = io.WriteString(w, text+" for "+d.String())
		case <-r.Context().Done():
		}
	}
}

// logs logs a line every seven seconds.
func (p *peer) logs(w http.ResponseWriter, r *http.Request) {
	for {
		_, _ = io.WriteString(w, "level="+r.URL.Query().Get("level")+" msg=line\n")
		select {
		case <-time.After(7 * time.Second):
		case <-r.Context().Done():
			return
		}
	}
}

// RoundTrip is http.RoundTripper's.
func (p *peer) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	p.asked = append(p.asked, r.URL.RequestURI())
	p.mu.Unlock()
	from, to := io.Pipe()
	w := &flowing{header: http.Header{}, to: to, begun: make(chan int, 1)}
	answer := p.answers[r.URL.Path]
	p.group.Go(func() {
		if answer == nil {
			refuse(w, http.StatusForbidden)
		} else {
			answer(w, r)
		}
		w.WriteHeader(http.StatusOK)
		_ = to.CloseWithError(r.Context().Err())
	})
	select {
	case status := <-w.begun:
		return &http.Response{StatusCode: status, Header: w.header, Body: from, Request: r}, nil
	case <-r.Context().Done():
		from.Close()
		return nil, r.Context().Err()
	}
}

// refuses has a path answered with an error.
func (p *peer) refuses(path string, status int) {
	p.answers[path] = func(w http.ResponseWriter, _ *http.Request) { refuse(w, status) }
}

func refuse(w http.ResponseWriter, status int) {
	code := map[int]string{http.StatusForbidden: "forbidden", http.StatusNotFound: "not_found"}[status]
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"error":{"code":"`+code+`","message":"this needs the role manage"}}`)
}

type flowing struct {
	header http.Header
	to     *io.PipeWriter
	begun  chan int
	once   sync.Once
}

func (w *flowing) Header() http.Header { return w.header }

func (w *flowing) WriteHeader(status int) { w.once.Do(func() { w.begun <- status }) }

func (w *flowing) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.to.Write(p)
}

// config gathers for two minutes of this peer.
func (p *peer) config() bundle.Config {
	c, err := httpd.NewClient(httpd.ClientConfig{Address: "a:1", HTTP: &http.Client{Transport: p}})
	if err != nil {
		p.t.Fatal(err)
	}
	return bundle.Config{
		Client: c, Duration: 2 * time.Minute, Interval: 30 * time.Second, Program: "muster 0.1.0", Tell: func(string, error) {},
	}
}

// unpacked are the files of an archive by what follows its folder.
func unpacked(t *testing.T, dir string, x *bundle.Index) map[string]string {
	t.Helper()
	var raw bytes.Buffer
	if err := bundle.Archive(&raw, dir, x); err != nil {
		t.Fatal(err)
	}
	folder, files := bundletest.Unpack(t, raw.Bytes())
	if folder != x.Name() {
		t.Errorf("the folder is %s, want %s", folder, x.Name())
	}
	return files
}
