package agent

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/agent/trace"
	"github.com/musterhq/muster/agent/trace/tracetest"
	"github.com/musterhq/muster/fsm"
)

const collectorAt = "127.0.2.1:4318"

// traced runs a test with a world of three peers that tell a collector of the share that they follow.
func traced(t *testing.T, ratio float64, test func(t *testing.T, w *world, c *tracetest.Collector)) {
	inEmptyBubble(t, func(t *testing.T, w *world) {
		c := &tracetest.Collector{}
		defer w.collect(c)()
		for i := range 3 {
			p := w.add(fmt.Sprintf("peer-%c", 'a'+i))
			p.change = func(cfg *Config) {
				cfg.BootstrapExpect = 3
				cfg.Trace = trace.Config{Endpoint: "http://" + collectorAt, Ratio: ratio}
				cfg.Seams.TraceDial = w.net.DialFrom(p.host)
			}
		}
		for _, p := range w.peers {
			p.start(nil)
		}
		for _, p := range w.peers {
			p.await("all peers' rows", rows(3))
		}
		test(t, w, c)
		for _, p := range w.peers {
			p.end()
		}
		if err := c.Err(); err != nil {
			t.Error(err)
		}
	})
}

// collect has a collector answer in the world's network until it is stopped.
func (w *world) collect(c *tracetest.Collector) (stop func()) {
	server, listener := &http.Server{Handler: c}, w.net.Listen(collectorAt) // before anybody dials
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	return func() {
		_ = server.Close()
		<-ended
	}
}

// request sends a request to a peer's API and returns the status of the answer.
func (p *peer) request(method, path, parent string) (status int) {
	p.w.t.Helper()
	client := &http.Client{Transport: &http.Transport{DialContext: p.w.net.DialFrom("127.0.3.1"), DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(p.w.t.Context(), method, "http://"+p.HTTPAddr()+path, http.NoBody)
	if err != nil {
		p.w.t.Fatal(err)
	}
	if parent != "" {
		r.Header.Set("traceparent", parent)
	}
	if method != http.MethodGet {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := client.Do(r)
	if err != nil {
		p.w.t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// one is the only span for which is holds.
func one(t *testing.T, c *tracetest.Collector, what string, is func(tracetest.Span) bool) tracetest.Span {
	t.Helper()
	found := c.Find(is)
	if len(found) != 1 {
		t.Fatalf("%d spans are %s; wanted is one. All:\n%s", len(found), what, spelled(c))
	}
	return found[0]
}

func spelled(c *tracetest.Collector) string {
	var out strings.Builder
	for _, s := range c.Spans() {
		fmt.Fprintf(&out, "%s %s: %s %s in %s links %v %v\n", s.Peer, s.Name, s.Trace, s.ID, s.Parent, s.Links, s.Attributes)
	}
	return out.String()
}

// TestAWriteIsOneTrace: what a caller follows goes on at the peer it asked, and at the leader.
func TestAWriteIsOneTrace(t *testing.T) {
	const theirs, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	traced(t, 0, func(t *testing.T, w *world, c *tracetest.Collector) {
		w.settled(1, 3, nil)
		leader, follower := w.leader(), w.follower()
		status := follower.request(http.MethodPost, "/v1/cluster/c00/refresh", "00-"+theirs+"-"+parent+"-01")
		if status != http.StatusAccepted {
			t.Fatal(status)
		}
		follower.request(http.MethodGet, "/v1/clusters", "00-11111111111111111111111111111111-b7ad6b7169203331-00")
		follower.request(http.MethodGet, "/v1/clusters", "")
		for _, p := range w.peers {
			p.end()
		}
		span := func(peer *peer, name string) tracetest.Span {
			return one(t, c, name, func(s tracetest.Span) bool { return s.Peer == peer.name && s.Name == name && s.Trace == theirs })
		}
		asked := span(follower, "POST /v1/cluster/{name}/refresh")
		there := span(leader, "peer /ask")
		commit := span(leader, "commit")
		if asked.Parent != parent || there.Parent != asked.ID || commit.Parent != there.ID {
			t.Errorf("the spans do not hang together:\n%s", spelled(c))
		}
		if asked.Attributes["http.response.status_code"] != "202" || asked.Kind != "SPAN_KIND_SERVER" || there.Kind != asked.Kind {
			t.Errorf("the request: %+v, at the leader: %+v", asked, there)
		}
		claim := one(t, c, "the claim", func(s tracetest.Span) bool { return s.Name == "claim" })
		if len(asked.Links) != 1 || asked.Links[0] != claim.Trace {
			t.Errorf("the request links to %v; the work on its claim is %s", asked.Links, claim.Trace)
		}
		for _, s := range c.Spans() {
			if s.Trace != theirs && s.Trace != claim.Trace {
				t.Errorf("followed without anybody who wanted that: %+v", s)
			}
		}
	})
}

// TestAWriteThroughTheLog: a command that a follower forwards, with nothing but the configured share.
func TestAWriteThroughTheLog(t *testing.T) {
	traced(t, 1, func(t *testing.T, w *world, c *tracetest.Collector) {
		leader, follower := w.leader(), w.follower()
		w.discover(nil)
		if status := follower.request(http.MethodDelete, "/v1/discovery/all", ""); status != http.StatusOK {
			t.Fatal(status)
		}
		for _, p := range w.peers {
			p.end()
		}
		request := one(t, c, "the request", func(s tracetest.Span) bool { return s.Name == "DELETE /v1/discovery/{name}" })
		in := func(peer *peer, name string) tracetest.Span {
			return one(t, c, name, func(s tracetest.Span) bool { return s.Trace == request.Trace && s.Peer == peer.name && s.Name == name })
		}
		propose := in(follower, "propose")
		there, commit := in(leader, "peer /propose"), in(leader, "commit")
		if propose.Parent != request.ID || there.Parent != propose.ID || commit.Parent != there.ID || request.Parent != "" {
			t.Errorf("the spans do not hang together:\n%s", spelled(c))
		}
		if propose.Attributes["muster.command"] != "discovery.delete" || commit.Attributes["muster.entry"] == "" {
			t.Errorf("propose %v, commit %v", propose.Attributes, commit.Attributes)
		}
	})
}

// TestARefreshHangsTogether: the leader's grant, the holder's polls and its completion are one trace, though nothing of it is in
// the log.
func TestARefreshHangsTogether(t *testing.T) {
	traced(t, 1, func(t *testing.T, w *world, c *tracetest.Collector) {
		w.settled(6, 3, nil)
		leader := w.leader()
		w.pass(20 * time.Second)
		stopped := uint64(time.Now().UnixNano()) // from then on others lead, and work is cut off
		for _, p := range w.peers {
			p.end()
		}
		all := map[string][]tracetest.Span{}
		for _, s := range c.Spans() {
			all[s.Trace] = append(all[s.Trace], s)
		}
		elsewhere, runs, unchanged := 0, 0, 0
		for _, spans := range all {
			by := map[string]tracetest.Span{}
			for _, s := range spans {
				by[s.Name] = s
			}
			claim, work, poll, complete := by["claim"], by["refresh"], by["poll"], by["complete"]
			if by["run"].ID != "" && by["run"].End < stopped {
				runs++
				if read := by["read"]; by["run"].Parent != claim.ID || read.Parent != by["run"].ID || complete.Parent != by["run"].ID ||
					by["run"].Attributes["muster.discovery"] != "all" {
					t.Errorf("a run does not hang together: %+v", spans)
				}
			}
			if work.ID == "" || claim.ID == "" || complete.ID == "" || complete.End >= stopped {
				continue
			}
			if claim.Peer != leader.name || work.Parent != claim.ID || poll.Parent != work.ID || complete.Parent != work.ID {
				t.Errorf("a refresh does not hang together: %+v", spans)
			}
			if work.Attributes["muster.cluster"] == "" || poll.Attributes["muster.nodes"] != "3" || poll.Attributes["muster.nodes.answered"] != "3" {
				t.Errorf("a refresh of three nodes is told as %v, %v", work.Attributes, poll.Attributes)
			}
			if claim.Start > claim.End || claim.End > complete.End {
				t.Errorf("a claim from %d to %d, completed at %d", claim.Start, claim.End, complete.End)
			}
			if complete.Attributes["muster.outcome"] == "unchanged" && by["propose"].Parent == complete.ID {
				unchanged++
			}
			if there := by["peer /propose"]; work.Peer != leader.name && there.ID != "" && by["commit"].Parent == there.ID {
				elsewhere++
			}
		}
		if elsewhere == 0 || runs == 0 || unchanged == 0 {
			t.Errorf("%d refreshes were completed at the leader by another peer, %d changed nothing, %d runs; wanted are some of each:\n%s",
				elsewhere, unchanged, runs, spelled(c))
		}
	})
}

// TestTracesOutliveTheWork: what a peer had begun when it was stopped is told, too.
func TestTracesOutliveTheWork(t *testing.T) {
	traced(t, 1, func(t *testing.T, w *world, c *tracetest.Collector) {
		w.settled(1, 3, nil)
		w.nodes.slow(800*time.Millisecond, addrOf(0, 0), addrOf(0, 1), addrOf(0, 2))
		var holder *peer
		w.until("polls under way", func() bool {
			for _, p := range w.peers {
				if p.worker.Polls() > 0 {
					holder = p
				}
			}
			return holder != nil
		})
		w.pass(100 * time.Millisecond)
		stopped := uint64(time.Now().UnixNano())
		holder.end()
		cut := c.Find(func(s tracetest.Span) bool {
			return s.Peer == holder.name && s.Name == "refresh" && s.Start < stopped && s.End >= stopped
		})
		if len(cut) != 1 {
			t.Errorf("%d refreshes are told of that were under way at the end:\n%s", len(cut), spelled(c))
		}
	})
}

// TestAFailedRefreshIsTold by codes and counts.
func TestAFailedRefreshIsTold(t *testing.T) {
	traced(t, 1, func(t *testing.T, w *world, c *tracetest.Collector) {
		w.settled(1, 3, nil)
		w.nodes.kill(addrOf(0, 1))
		w.leader().await("a node less", func(r *fsm.Reader) bool { return !healthy(1)(r) })
		now := uint64(time.Now().UnixNano())
		w.pass(100 * time.Millisecond) // for what is to be completed of it
		for _, p := range w.peers {
			p.end()
		}
		failed := c.Find(func(s tracetest.Span) bool {
			return s.Name == "poll" && s.End <= now && s.Attributes["muster.nodes.unreachable"] == "1"
		})
		if len(failed) == 0 {
			t.Fatalf("no polls are told of that did not reach a node:\n%s", spelled(c))
		}
		for _, p := range failed {
			one(t, c, "its completion with facts", func(s tracetest.Span) bool {
				return s.Trace == p.Trace && s.Name == "complete" && s.Parent == p.Parent && s.Attributes["muster.outcome"] == ""
			})
		}
	})
}

// TestReloadOfTraces: the share and the headers in the file are taken over. Headers for another collector wait for a restart, which
// alone brings it.
func TestReloadOfTraces(t *testing.T) {
	inEmptyBubble(t, func(t *testing.T, w *world) {
		c := &tracetest.Collector{}
		defer w.collect(c)()
		dir := t.TempDir()
		ours, theirs := filepath.Join(dir, "ours"), filepath.Join(dir, "theirs")
		say := func(path, value string) {
			t.Helper()
			if err := os.WriteFile(path, []byte("x-is: "+value+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		say(ours, "first")
		say(theirs, "another's")
		p, f := w.add("peer-a"), &file{}
		p.start(func(cfg *Config) {
			cfg.BootstrapExpect = 1
			cfg.Trace = trace.Config{Endpoint: "http://" + collectorAt, Ratio: 1, HeadersFile: ours}
			cfg.Seams.TraceDial = w.net.DialFrom(p.host)
			f.reads(cfg)
		})
		p.await("its row", rows(1))
		shown := func() string {
			t.Helper()
			p.request(http.MethodGet, "/v1/clusters", "")
			w.pass(3 * time.Second)
			all := c.Headers()
			return fmt.Sprintf("%d with %s", len(all), all[len(all)-1].Get("X-Is"))
		}
		var got []string
		got = append(got, shown())
		say(ours, "second")
		p.reload()
		got = append(got, shown())
		say(ours, "third")
		f.change = func(cfg *Config) { cfg.Trace.Endpoint, cfg.Trace.HeadersFile = "https://127.0.0.1:1", theirs }
		p.reload()
		got = append(got, shown())
		f.change = func(cfg *Config) { cfg.Trace.Ratio = 0 }
		p.reload()
		got = append(got, shown())
		if err := os.Remove(ours); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "-trace-headers-file") {
			t.Errorf("without its file: %v", err)
		}
		want := []string{"1 with first", "2 with second", "3 with second", "3 with second"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("requests of the collector (-want +got):\n%s", diff)
		}
	})
}
