package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// TestSightingsKeepTheFirst takes each event's first coming, and waits for what has not come.
func TestSightingsKeepTheFirst(t *testing.T) {
	lines := make(chan httpd.Event)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := json.NewEncoder(w)
		for {
			select {
			case <-r.Context().Done():
				return
			case e := <-lines:
				if err := out.Encode(e); err != nil {
					t.Error(err)
				}
				w.(http.Flusher).Flush()
			}
		}
	}))
	defer server.Close()
	api, err := httpd.NewClient(httpd.ClientConfig{Address: strings.TrimPrefix(server.URL, "http://")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := follow(ctx, &rig.Peer{API: api}, "node.*")
	first := sighting{"node.up", "a-1"}
	lines <- httpd.Event{Epoch: "E", Seq: 1, Type: first.kind, Node: first.node, Cursor: "E:1"}
	at, err := seen.await(ctx, first)
	if err != nil {
		t.Fatal(err)
	}
	between := time.Now()
	lines <- httpd.Event{Epoch: "E", Seq: 2, Type: first.kind, Node: first.node, Cursor: "E:2"}
	lines <- httpd.Event{Epoch: "E", Seq: 3, Type: "node.down", Node: first.node, Cursor: "E:3"}
	other, err := seen.await(ctx, sighting{"node.down", "a-1"})
	if err != nil || other.Before(between) {
		t.Errorf("another event of the node came at %s, %v", other, err)
	}
	if again, err := seen.await(ctx, first); err != nil || !again.Equal(at) {
		t.Errorf("its first coming moved from %s to %s, %v", at, again, err)
	}
}

// TestUntilFails ends with the condition's own error, and with the context.
func TestUntilFails(t *testing.T) {
	broken := errors.New("broken")
	if err := until(t.Context(), "x", func() (bool, error) { return false, broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	over, cancel := context.WithCancelCause(t.Context())
	cancel(broken)
	if err := until(over, "x", func() (bool, error) { return false, nil }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// TestBlockingQuery goes on from the index that Consul told.
func TestBlockingQuery(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query().Get("index"); got != "7" {
			t.Errorf("asked from index %q", got)
		}
		w.Header().Set("X-Consul-Index", "9")
		_, _ = w.Write([]byte(`[{"Service":{"ID":"orders-1"}},{"Service":{"ID":"orders-2"}}]`))
	}))
	defer server.Close()
	ids, next, err := instances(t.Context(), strings.TrimPrefix(server.URL, "http://"), "7")
	if err != nil || next != "9" || strings.Join(ids, " ") != "orders-1 orders-2" {
		t.Errorf("%v, then %s, %v", ids, next, err)
	}
}
