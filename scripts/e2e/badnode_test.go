package e2e_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// document is what a node of the node protocol says that is well.
func document(id string) string {
	return fmt.Sprintf(`{"protocol": 1, "node_id": %q, "cluster_id": "orders", "kind": "redis", "version": "7.0.15",
		"sidecar_version": "1", "state": "up", "shards": [{"id": "0", "role": "primary"}], "attributes": {}}`, id)
}

// badNodes are ways for a node to answer, with the reason it must be unreachable for; empty for one that is well.
var badNodes = map[string]struct {
	answer http.HandlerFunc
	reason string
}{
	"good":    {func(rw http.ResponseWriter, _ *http.Request) { say(rw, document("good")) }, ""},
	"garbage": {func(rw http.ResponseWriter, _ *http.Request) { say(rw, "\x00\xff{{{ this is no document") }, fsm.ReasonDecode},
	"empty":   {func(rw http.ResponseWriter, _ *http.Request) { say(rw, "") }, fsm.ReasonDecode},
	"huge":    {func(rw http.ResponseWriter, _ *http.Request) { say(rw, strings.Repeat(" ", 10<<20)+document("huge")) }, fsm.ReasonTooLarge},
	"trickle": {trickle, fsm.ReasonTimeout},
	"redirect": {func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "/elsewhere", http.StatusFound)
	}, fsm.ReasonRedirect},
	"error": {func(rw http.ResponseWriter, _ *http.Request) { http.Error(rw, "no", http.StatusInternalServerError) }, fsm.ReasonHTTPStatus},
	"cut": {func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Length", "400")
		say(rw, document("cut")[:100])
		panic(http.ErrAbortHandler)
	}, fsm.ReasonReset},
}

func say(rw http.ResponseWriter, body string) {
	rw.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(rw, body) // the peer may hang up
}

// trickle says its document one byte a second.
func trickle(rw http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	body := document("trickle")
	rw.Header().Set("Content-Length", strconv.Itoa(len(body)))
	for i := range body {
		if _, err := io.WriteString(rw, body[i:i+1]); err != nil {
			return
		}
		rw.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

// TestBadNodes shows that a node which answers with nonsense is unreachable for what is wrong with it, and no other node is.
func TestBadNodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.dev()
	var nodes []object
	for id, bad := range badNodes {
		routes := http.NewServeMux()
		routes.HandleFunc("/v1/node", bad.answer)
		routes.HandleFunc("/elsewhere", func(rw http.ResponseWriter, _ *http.Request) {
			t.Error("a redirect was followed")
			say(rw, document(id))
		})
		server := httptest.NewServer(routes)
		t.Cleanup(server.Close)
		at := server.Listener.Addr().(*net.TCPAddr)
		nodes = append(nodes, object{"id": id, "address": at.IP.String(), "port": at.Port})
	}
	path := w.write("orders.json", []object{{"cluster": "orders", "nodes": nodes}})
	w.apply(p, "orders", object{
		"backend": "file", "config": object{"files": []string{path}},
		"refresh": object{"interval": "1s", "timeout": "1s"},
	})
	w.until("each node to be what it is", func(ctx context.Context) error {
		c, _, err := p.API.Cluster(ctx, "orders", httpd.Read{})
		if err != nil {
			return err
		}
		for id, bad := range badNodes {
			n := nodeOf(c, id)
			switch {
			case bad.reason == "" && (n.Reach.Value != fsm.Reachable || n.State.Value != fsm.StateUp):
				return fmt.Errorf("%s is %v and %v", id, n.Reach, n.State)
			case bad.reason != "" && (n.Reach.Value != fsm.NotReachable || n.Reach.Reason != bad.reason):
				return fmt.Errorf("%s is %q for %q (%s), want %s", id, n.Reach.Value, n.Reach.Reason, n.Reach.Detail, bad.reason)
			}
		}
		return nil
	})
	w.laterRefresh(p, "orders", 2)
	c, _, err := p.API.Cluster(w.soon(), "orders", httpd.Read{})
	w.must(err)
	if n := nodeOf(c, "good"); n.Reach.Value != fsm.Reachable || c.Health != fsm.HealthDegraded {
		t.Errorf("the good node is %s, the cluster %s", n.Reach.Value, c.Health)
	}
}
