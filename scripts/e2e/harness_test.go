package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// patience is how long a test waits for one thing before it gives up. It is no promise of muster's: those are measured.
const patience = 30 * time.Second

// world is a test with its processes.
type world struct {
	*testing.T
	rig *rig.Rig
}

// newWorld makes a world whose processes end with the test. When the test has failed, the ends of their logs are shown.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, rig: rig.New(t.TempDir())}
	t.Cleanup(func() {
		if err := w.rig.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			w.showLogs()
		}
	})
	return w
}

func (w *world) showLogs() {
	const tail = 4 << 10
	logs, _ := filepath.Glob(filepath.Join(w.rig.Dir, "*.log"))
	for _, path := range logs {
		raw, err := os.ReadFile(path)
		if err != nil {
			w.Log(err)
			continue
		}
		w.Logf("--- the end of %s:\n%s", filepath.Base(path), raw[max(0, len(raw)-tail):])
	}
}

// soon is a context for what must not take longer than patience.
func (w *world) soon() context.Context {
	ctx, cancel := context.WithTimeout(w.Context(), patience)
	w.Cleanup(cancel)
	return ctx
}

// inside is the world as a subtest has it.
func (w *world) inside(t *testing.T) *world { return &world{T: t, rig: w.rig} }

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// until waits for a condition.
func (w *world) until(what string, holds func(context.Context) error) {
	w.Helper()
	w.must(rig.Until(w.soon(), what, holds))
}

// group starts three peers that found a group.
func (w *world) group() *rig.Group {
	w.Helper()
	g, err := w.rig.Group(w.soon(), program, 3)
	w.must(err)
	return g
}

func (w *world) leader(g *rig.Group) *rig.Peer {
	w.Helper()
	leader, err := g.Leader(w.soon())
	w.must(err)
	return leader
}

// follower is a running peer that does not lead.
func (w *world) follower(g *rig.Group) *rig.Peer {
	w.Helper()
	leader := w.leader(g)
	for _, p := range g.Running() {
		if p != leader {
			return p
		}
	}
	w.Fatal("there is no follower")
	return nil
}

// object is JSON that is being written.
type object = map[string]any

// apply stores a discovery's setting, as long as there is no answer to rely on.
func (w *world) apply(p *rig.Peer, name string, spec object) {
	w.Helper()
	w.until("discovery "+name+" to be stored", func(ctx context.Context) error {
		_, err := p.API.PutDiscovery(ctx, name, spec, nil)
		var refused *httpd.StatusError
		if errors.As(err, &refused) && refused.Status < http.StatusInternalServerError {
			w.Fatal(err)
		}
		return err
	})
}

// clusterAt is a cluster as a peer's own replica has it, once that is at an index of the cluster or beyond.
func (w *world) clusterAt(p *rig.Peer, name string, index uint64) httpd.ClusterDetail {
	w.Helper()
	var c httpd.ClusterDetail
	w.until(fmt.Sprintf("%s to have cluster %s at index %d", p.Name, name, index), func(ctx context.Context) error {
		var err error
		c, _, err = p.API.Cluster(ctx, name, httpd.Read{Stale: true, Index: index - 1, Wait: time.Second})
		if err == nil && c.Index < index {
			err = fmt.Errorf("it is at %d", c.Index)
		}
		return err
	})
	return c
}

// onAllPeers reads a cluster of the leader and says what is wrong with it, until nothing is, and then reads every other
// peer's replica at that index, where nothing may be wrong either.
func (w *world) onAllPeers(g *rig.Group, name string, wrong func(httpd.ClusterDetail) error) httpd.ClusterDetail {
	w.Helper()
	var agreed httpd.ClusterDetail
	w.until("cluster "+name+" to be as it should", func(ctx context.Context) error {
		var err error
		if agreed, _, err = g.Running()[0].API.Cluster(ctx, name, httpd.Read{}); err != nil {
			return err
		}
		return wrong(agreed)
	})
	for _, p := range g.Running() {
		c := w.clusterAt(p, name, agreed.Index)
		if err := wrong(c); err != nil {
			w.Errorf("cluster %s on %s at index %d: %s", name, p.Name, c.Index, err)
		}
	}
	return agreed
}

// nodeOf is a node of a cluster; the zero row when it has none of that id.
func nodeOf(c httpd.ClusterDetail, id string) httpd.NodeRow {
	for _, n := range c.Nodes {
		if n.ID == id {
			return n
		}
	}
	return httpd.NodeRow{}
}

// betweenPolls waits until a cluster's next refresh is half an interval away or a little less.
func (w *world) betweenPolls(p *rig.Peer, cluster string, interval time.Duration) {
	w.Helper()
	w.until("the middle between two polls of "+cluster, func(ctx context.Context) error {
		c, _, err := p.API.Cluster(ctx, cluster, httpd.Read{})
		if err != nil {
			return err
		}
		left := time.Until(c.NextRefresh.Std())
		if left < interval/4 || left > interval/2 {
			return fmt.Errorf("the next poll is in %s", left)
		}
		return nil
	})
}

// within fails the test when an event is later after a moment than promised.
func (w *world) within(promise time.Duration, since time.Time, e httpd.Event) {
	w.Helper()
	took := e.Time.Std().Sub(since)
	w.Logf("%s of %s/%s: %s after the fact; promised are %s", e.Type, e.Cluster, e.Node, took.Round(time.Millisecond), promise)
	if took > promise {
		w.Errorf("%s of %s/%s came %s after the fact; promised are %s", e.Type, e.Cluster, e.Node, took, promise)
	}
}

// answer is what came back for a request written by hand.
type answer struct {
	status  int
	code    fsm.Code
	message string
	fields  map[string]string
}

// ask sends a request written by hand.
func (w *world) ask(p *rig.Peer, method, path, contentType, body string) answer {
	w.Helper()
	req, err := http.NewRequestWithContext(w.soon(), method, "http://"+p.HTTP+path, strings.NewReader(body))
	w.must(err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := http.DefaultClient.Do(req)
	w.must(err)
	defer res.Body.Close()
	var raw bytes.Buffer
	_, err = raw.ReadFrom(res.Body)
	w.must(err)
	out := answer{status: res.StatusCode}
	if res.StatusCode < http.StatusBadRequest {
		return out
	}
	var told struct {
		Error struct {
			Code    fsm.Code          `json:"code"`
			Message string            `json:"message"`
			Fields  map[string]string `json:"fields"`
		} `json:"error"`
	}
	if err := json.Unmarshal(raw.Bytes(), &told); err != nil {
		w.Errorf("%s %.80s: the error is no JSON: %s", method, path, raw.String())
	}
	out.code, out.message, out.fields = told.Error.Code, told.Error.Message, told.Error.Fields
	return out
}
