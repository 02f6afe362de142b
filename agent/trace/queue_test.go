package trace_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/musterhq/muster/agent/memnet"
	"github.com/musterhq/muster/agent/trace"
	"github.com/musterhq/muster/agent/trace/tracetest"
)

// outcome is the counter of a peer's spans of one result.
func outcome(t *testing.T, p *peer, name string) prometheus.Collector {
	t.Helper()
	families, err := p.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := prometheus.NewCounter(prometheus.CounterOpts{Name: "spans", Help: name})
	for _, f := range families {
		for _, m := range f.Metric {
			if f.GetName() == "muster_trace_spans_total" && m.Label[0].GetName() == "result" && m.Label[0].GetValue() == name {
				out.Add(m.Counter.GetValue())
			}
		}
	}
	return out
}

func count(t *testing.T, p *peer) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for _, name := range []string{"sent", "dropped", "failed"} {
		out[name] = testutil.ToFloat64(outcome(t, p, name))
	}
	return out
}

func end(t *testing.T, p *peer, n int) {
	for range n {
		_, step := p.Request(t.Context(), nil, "GET")
		step.End(nil)
	}
}

// TestAFullQueueDrops what comes, counts it, and lets nobody wait. In virtual time, where a collector never answers.
func TestAFullQueueDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peer{reg: prometheus.NewRegistry(), said: &strings.Builder{}}
		silent := func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}
		p.Tracer = tracer(t, p, trace.Config{Endpoint: "http://127.0.0.1:4318", Ratio: 1}, silent)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		end(t, p, 512)
		synctest.Wait() // they are on their way
		began := time.Now()
		end(t, p, trace.MaxQueued+5)
		if took := time.Since(began); took != 0 {
			t.Errorf("somebody waited %s", took)
		}
		if diff := cmp.Diff(map[string]float64{"sent": 0, "dropped": 5, "failed": 0}, count(t, p)); diff != "" {
			t.Errorf("spans (-want +got):\n%s", diff)
		}
		<-time.After(11 * time.Second)
		synctest.Wait()
		if got := count(t, p)["failed"]; got != 512 {
			t.Errorf("%v spans failed after the collector's time was over; wanted is the batch of 512", got)
		}
		began = time.Now()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != trace.StopWait {
			t.Errorf("the peer waited %s for its collector when it stopped; it may %s", took, trace.StopWait)
		}
		end(t, p, 1) // after its end
		want := map[string]float64{"sent": 0, "dropped": 6, "failed": 512 + trace.MaxQueued}
		if diff := cmp.Diff(want, count(t, p)); diff != "" {
			t.Errorf("all spans have a result (-want +got):\n%s", diff)
		}
		if n := strings.Count(p.said.String(), "the collector did not take traces"); n != 1 {
			t.Errorf("the failure is told %d times:\n%s", n, p.said)
		}
	})
}

func tracer(t *testing.T, p *peer, c trace.Config, dial trace.Dial) *trace.Tracer {
	t.Helper()
	made, err := trace.New(t.Context(), trace.Options{
		Config: c, Peer: "a", Name: "a", Group: "muster", GroupID: func() string { return "01JD" },
		Dial: dial, Log: slog.New(slog.NewTextHandler(p.said, nil)), Registerer: p.reg,
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// near runs a peer beside a collector in virtual time, until stop has returned.
func near(t *testing.T, c *tracetest.Collector) (p *peer, stop func()) {
	t.Helper()
	network := memnet.New()
	server, listener := &http.Server{Handler: c}, network.Listen("127.0.0.1:4318") // before anybody dials
	closed := make(chan error, 1)
	go func() { closed <- server.Serve(listener) }()
	p = &peer{reg: prometheus.NewRegistry(), said: &strings.Builder{}}
	cfg := trace.Config{Endpoint: "http://127.0.0.1:4318/otlp/v1/traces", Ratio: 1}
	p.Tracer = tracer(t, p, cfg, network.DialFrom("127.0.0.2"))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	return p, func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = server.Close()
		<-closed
	}
}

// TestACollectorThatRefuses is told of once, and so is its return; what it refused is counted.
func TestACollectorThatRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := true
		p, stop := near(t, &tracetest.Collector{Answer: func(w http.ResponseWriter, _ *http.Request) bool {
			if bad {
				w.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(w, "no such tenant: "+strings.Repeat("x", 10_000))
			}
			return bad
		}})
		for range 2 {
			end(t, p, 512)
			synctest.Wait()
		}
		bad = false
		end(t, p, 3)
		stop()
		if diff := cmp.Diff(map[string]float64{"sent": 3, "dropped": 0, "failed": 1024}, count(t, p)); diff != "" {
			t.Errorf("spans (-want +got):\n%s", diff)
		}
		said := p.said.String()
		if strings.Count(said, "level=WARN") != 1 || strings.Count(said, "traces are taken again") != 1 || len(said) > 1500 {
			t.Errorf("it is told as\n%s", said)
		}
	})
}

// TestWhatIsOnItsWay when the peer stops is sent anew, with what came after it.
func TestWhatIsOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := true
		c := &tracetest.Collector{Answer: func(_ http.ResponseWriter, r *http.Request) bool {
			first := hangs
			if first {
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
			}
			return first
		}}
		p, stop := near(t, c)
		end(t, p, 512)
		synctest.Wait()
		end(t, p, 2)
		hangs = false
		stop()
		if diff := cmp.Diff(map[string]float64{"sent": 514, "dropped": 0, "failed": 0}, count(t, p)); diff != "" {
			t.Errorf("spans (-want +got):\n%s", diff)
		}
		if n := len(c.Spans()); n != 514 {
			t.Errorf("the collector has %d spans", n)
		}
	})
}

// TestHeaders go with each request, anew after a reload, and nowhere else.
func TestHeaders(t *testing.T) {
	elsewhere, other := collect(t)
	c := &tracetest.Collector{}
	var away, repeats atomic.Bool
	answered := make(chan struct{}, 10)
	c.Answer = func(w http.ResponseWriter, r *http.Request) bool {
		if repeats.Load() {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, "%v", r.Header)
			return true
		}
		if away.Load() {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		}
		return away.Load()
	}
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.ServeHTTP(w, r)
		answered <- struct{}{}
	}))
	defer s.Close()
	dir := t.TempDir()
	authority, headers := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "headers")
	write(t, authority, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
	write(t, headers, "# ours\nauthorization: Bearer canary-1\n\nX-Tenant:  a b \n")
	cfg := trace.Config{Endpoint: s.URL, HeadersFile: headers, CAFile: authority, Ratio: 1}
	p := start(t, "a", cfg)
	end(t, p, 512)
	write(t, headers, "authorization: Bearer canary-2\n")
	<-answered
	if err := p.Reload(cfg); err != nil {
		t.Fatal(err)
	}
	end(t, p, 1)
	p.stop()
	got := []string{}
	for _, h := range c.Headers() {
		got = append(got, h.Get("Authorization")+"/"+h.Get("X-Tenant"))
	}
	if diff := cmp.Diff([]string{"Bearer canary-1/a b", "Bearer canary-2/"}, slices.Compact(got)); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	away.Store(true)
	lost := start(t, "b", cfg)
	end(t, lost, 1)
	lost.stop()
	if n := len(elsewhere.Headers()); n != 0 || count(t, lost)["failed"] != 1 {
		t.Errorf("the collector sent the peer elsewhere, where it went %d times: %v", n, count(t, lost))
	}
	repeats.Store(true)
	refused := start(t, "c", cfg)
	end(t, refused, 1)
	refused.stop()
	if said := refused.said.String(); !strings.Contains(said, "did not take traces") || strings.Contains(said, "canary") {
		t.Errorf("of a collector that repeats what it is sent is told\n%s", said)
	}
	if strings.Contains(p.said.String()+lost.said.String()+c.Raw(), "canary") {
		t.Error("a header was told")
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestBadFiles: what is wrong with them, and no value of theirs.
func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	path := func(text string) string {
		f, err := os.CreateTemp(dir, "file")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
		return f.Name()
	}
	open := filepath.Join(dir, "open")
	write(t, open, "a: canary\n")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	grouped := filepath.Join(dir, "grouped")
	write(t, grouped, "a: b\n")
	for mode, good := range map[os.FileMode]bool{0o600: true, 0o640: true, 0o660: false, 0o604: false, 0o400: true} {
		if err := os.Chmod(grouped, mode); err != nil {
			t.Fatal(err)
		}
		_, err := trace.New(t.Context(), trace.Options{
			Config: trace.Config{Endpoint: "https://127.0.0.1:4318", HeadersFile: grouped}, Registerer: prometheus.NewRegistry(),
		})
		if (err == nil) != good {
			t.Errorf("a file of mode %04o: %v", mode, err)
		}
	}
	for name, tt := range map[string]struct {
		headers, authority string
		want               []string
	}{
		"not there":            {filepath.Join(dir, "none"), "", []string{"-trace-headers-file: ", "no such file"}},
		"for all to read":      {open, "", []string{"(mode 0644): chmod 640 " + open}},
		"no header":            {path("a: b\ncanary\n"), "", []string{"line 2 is not NAME: VALUE"}},
		"no value":             {path("authorization:\n"), "", []string{"line 1 is not NAME: VALUE"}},
		"a name with a space":  {path("my canary: x\n"), "", []string{"line 1 is not NAME: VALUE"}},
		"what is ours to say":  {path("content-type: canary\n"), "", []string{"line 1: the header content-type follows from what is sent"}},
		"a control character":  {path("a: can\x01ary\n"), "", []string{"line 1: the value of a holds a control character"}},
		"too much":             {path(strings.Repeat("a: canary\n", 10_000)), "", []string{"larger than the 65536 bytes"}},
		"a directory":          {dir, "", []string{"-trace-headers-file: ", "is a directory"}},
		"authority, too much":  {"", path(strings.Repeat("canary", 200_000)), []string{"-trace-ca-file: ", "larger than the 1048576 bytes"}},
		"no authority":         {"", path("canary"), []string{"-trace-ca-file: ", "no certificate in PEM"}},
		"no file of authority": {"", filepath.Join(dir, "none"), []string{"-trace-ca-file: ", "no such file"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := trace.New(t.Context(), trace.Options{
				Config:     trace.Config{Endpoint: "https://127.0.0.1:4318", HeadersFile: tt.headers, CAFile: tt.authority},
				Registerer: prometheus.NewRegistry(),
			})
			if err == nil {
				t.Fatal("no error")
			}
			only := trace.Config{Endpoint: "https://127.0.0.1:4318", HeadersFile: tt.headers, CAFile: tt.authority}.CheckFiles()
			if only == nil || only.Error() != err.Error() {
				t.Errorf("of the files alone it says %v", only)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
					t.Errorf("%v; wanted is %q and no secret", err, want)
				}
			}
		})
	}
}
