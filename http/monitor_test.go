package httpd_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// journal is a log with one reader, whose lines tests write.
type journal struct {
	mu    sync.Mutex
	full  bool
	open  int
	level slog.Level
	json  bool
	lines []byte
	more  chan struct{}
}

func (j *journal) Watch(level slog.Level, json bool) (httpd.Lines, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.full {
		return nil, fsm.Errorf(httpd.CodeTooMany, "too many read")
	}
	j.open, j.level, j.json, j.more = j.open+1, level, json, make(chan struct{}, 1)
	return j, nil
}

func (j *journal) More() <-chan struct{} { return j.more }

func (j *journal) Take(context.Context, []byte) []byte {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := j.lines
	j.lines = nil
	return lines
}

func (j *journal) Close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.open--
}

func (j *journal) log(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line+"\n"...)
	select {
	case j.more <- struct{}{}:
	default:
	}
}

func (j *journal) readers() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.open
}

func TestMonitorStreamsLines(t *testing.T) {
	for query, want := range map[string]struct {
		level slog.Level
		json  bool
		kind  string
	}{
		"":                         {slog.LevelInfo, false, "text/plain; charset=utf-8"},
		"?level=debug&format=json": {slog.LevelDebug, true, "application/x-ndjson"},
		"?level=WARN&format=text":  {slog.LevelWarn, false, "text/plain; charset=utf-8"},
	} {
		synctest.Test(t, func(t *testing.T) {
			j := &journal{}
			f := newFace(t, func(c *httpd.Config) { c.Journal = j })
			w := f.followed(t, "/v1/agent/monitor"+query)
			synctest.Wait()
			if j.level != want.level || j.json != want.json || w.header.Get("Content-Type") != want.kind {
				t.Errorf("%q reads from %s on, JSON %t, as %q", query, j.level, j.json, w.header.Get("Content-Type"))
			}
			j.log("one")
			j.log("two")
			if a, b := w.line(), w.line(); a != "one" || b != "two" {
				t.Errorf("lines are %q and %q", a, b)
			}
			w.stop()
			if n := j.readers(); n != 0 {
				t.Errorf("%d readers are left", n)
			}
		})
	}
}

func TestMonitorRefuses(t *testing.T) {
	j := &journal{full: true}
	f := newFace(t, func(c *httpd.Config) { c.Journal = j })
	f.get("/v1/agent/monitor?level=loud").blames("level")
	f.get("/v1/agent/monitor?format=xml").blames("format")
	f.get("/v1/agent/monitor?wait=3s").blames("wait")
	f.get("/v1/agent/monitor").refuses(http.StatusTooManyRequests, httpd.CodeTooMany)
	if a := f.do(http.MethodHead, "/v1/agent/monitor", nil); a.Code != http.StatusOK {
		t.Errorf("HEAD is answered with %d", a.Code)
	}
}

// TestMonitorEndsWithItsToken deletes the token of a reader, and lets that of another expire.
func TestMonitorEndsWithItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := guarded(t)
		f.apply(&fsm.TokenCreate{Token: tokenFor("short", f.now+fsm.Time(time.Hour.Milliseconds()), fsm.MayOperate)})
		deleted := f.followed(t, "/v1/agent/monitor", "X-Muster-Token", "operate")
		synctest.Wait()
		f.apply(&fsm.TokenDelete{Accessors: []string{"of-operate"}})
		if line := deleted.line(); !strings.Contains(line, "the token of-operate was deleted") || !strings.Contains(line, "level=WARN") {
			t.Errorf("it ends with %q", line)
		}
		<-deleted.ended
		expires := f.followed(t, "/v1/agent/monitor?format=json", "X-Muster-Token", "short")
		synctest.Wait()
		<-time.After(2 * time.Hour)
		f.mu.Lock()
		f.now += fsm.Time((2 * time.Hour).Milliseconds())
		f.mu.Unlock()
		line := described(t).Components.Schemas["LogLine"].Value
		last := expires.line()
		if err := fits(line, []byte(last)); err != nil || !strings.Contains(last, "the token of-short expired") {
			t.Errorf("%v: it ends with %q", err, last)
		}
		<-expires.ended
	})
}

// TestMonitorTellsTheLastLines stops a peer: its reader has what it logged until then, and why there is no more.
func TestMonitorTellsTheLastLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		f := newFace(t, func(c *httpd.Config) { c.Journal = j })
		ctx, cancel := context.WithCancel(t.Context())
		ln := newPipes()
		ran := make(chan error, 1)
		go func() { ran <- f.server.Run(ctx, ln) }()
		c, err := httpd.NewClient(httpd.ClientConfig{Address: "a:1", HTTP: ln.client()})
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		read := make(chan error, 1)
		go func() { read <- c.Monitor(t.Context(), httpd.MonitorQuery{Level: "debug"}, &got) }()
		synctest.Wait()
		j.log("first")
		<-time.After(time.Second)
		j.log("peer stopping")
		cancel()
		if err := errors.Join(<-ran, <-read); err != nil {
			t.Error(err)
		}
		if lines := strings.Split(got.String(), "\n"); len(lines) != 4 || lines[0] != "first" || lines[1] != "peer stopping" ||
			!strings.Contains(lines[2], `reason="this peer stops"`) {
			t.Errorf("it reads %q", lines)
		}
	})
}

// TestMonitorCutsWhoStandsStill has a reader that takes nothing.
func TestMonitorCutsWhoStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, reg := &journal{}, prometheus.NewRegistry()
		f := newFace(t, func(c *httpd.Config) { c.Journal, c.Registerer = j, reg })
		ln := newPipes()
		f.run(t, ln)
		conn, err := ln.dial(t.Context(), "tcp", "a:1")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("GET /v1/agent/monitor HTTP/1.1\r\nHost: a\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		if n := j.readers(); n != 0 {
			t.Errorf("%d readers are left", n)
		}
		const name = "muster_http_followers_cut_total"
		if err := testutil.GatherAndCompare(reg, strings.NewReader("# HELP "+name+" Readers of a stream cut off since they did not take "+
			"a write within 30 s.\n# TYPE "+name+" counter\n"+name+" 1\n"), name); err != nil {
			t.Error(err)
		}
	})
}
