package agent

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/consul"
)

// TestLastWordToConsul: whoever was to stop is deregistered, and whoever failed is critical with the reason.
func TestLastWordToConsul(t *testing.T) {
	const gone, failed = "PUT /v1/agent/service/deregister/muster-", `"critical","Output":"The peer has ended: the disk is gone"`
	for _, c := range []struct {
		cause error
		want  string
	}{{nil, gone}, {errLeft, gone}, {errRemoved, gone}, {errors.New("the disk is gone"), failed}} {
		told := make(chan string, 64)
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			raw, _ := io.ReadAll(r.Body)
			told <- r.Method + " " + r.URL.Path + " " + string(raw)
		}))
		t.Cleanup(s.Close)
		registry := prometheus.NewRegistry()
		a, err := New(t.Context(), Config{
			Dev: true, Name: "peer-a", HTTPAddr: "127.0.0.1:0", PeerAddr: "127.0.0.1:0", GossipAddr: "127.0.0.1:0",
			Consul: consul.Config{Register: true, Address: s.URL},
			Log:    slog.New(slog.DiscardHandler), Registerer: registry, Gatherer: registry,
		})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- a.Run(t.Context()) }()
		last := ""
		for !strings.Contains(last, `"Tags":["leader","voter"]`) {
			last = <-told
		}
		<-told // how the peer is, which comes with the entry: given up half-way it could be heard after the last word
		a.ending.End(c.cause)
		if err := <-ended; (err == nil) != (c.cause == nil || errors.Is(c.cause, errLeft)) {
			t.Errorf("%v: it ended with %v", c.cause, err)
		}
		s.Close()
		close(told)
		for word := range told {
			last = word
		}
		if !strings.Contains(last, c.want) {
			t.Errorf("%v: the last word was %s", c.cause, last)
		}
	}
}

// TestInstance is a peer as it says of itself.
func TestInstance(t *testing.T) {
	inBubble(t, 3, func(t *testing.T, w *world) {
		roles := map[string]int{}
		for _, p := range w.peers {
			is, known := p.instance()
			roles[is.Role]++
			if !known || is.Peer != p.id || is.Name != p.name || is.Group != "muster" || is.GroupID == "" || is.Unready != "" || is.Secure {
				t.Errorf("%s says %+v", p.name, is)
			}
			m := is.HTTPAddr + " " + is.PeerAddr + " " + is.GossipAddr
			if want := p.cfg.HTTPAddr + " " + p.cfg.PeerAddr + " " + p.GossipAddr(); m != want {
				t.Errorf("%s is at %s, not at %s", p.name, m, want)
			}
		}
		if roles["leader"] != 1 || roles["voter"] != 2 {
			t.Errorf("the roles are %v", roles)
		}
		w.peers[0].draining.Store(true)
		if is, _ := w.peers[0].instance(); !strings.Contains(is.Unready, "the peer is stopping") {
			t.Errorf("a peer that stops says %+v", is)
		}
		w.peers[0].draining.Store(false)
	})
}
