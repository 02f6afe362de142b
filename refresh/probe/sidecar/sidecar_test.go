package sidecar_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
	"github.com/musterhq/muster/refresh/probe/probetest"
	"github.com/musterhq/muster/refresh/probe/sidecar"
)

var document = refresh.Document{
	NodeID: "orders-1", ClusterID: "orders", Kind: "redis", Version: "7.0.15", SidecarVersion: "0.1.0",
	State: fsm.StateUp,
	Shards: []refresh.DocumentShard{
		{ID: "0-5460", Role: "replica", Offset: &refresh.DocumentOffset{Value: 918, Unit: "bytes"}, LagMS: new(int64(400))},
	},
	Attributes: refresh.Attributes{"zone": "eu-1a", "maxmemory": "1073741824"},
}

var report = fsm.Report{
	Reachable: true, State: fsm.StateUp, NodeID: "orders-1", ClusterID: "orders",
	Kind: "redis", Version: "7.0.15", SidecarVersion: "0.1.0",
	Shards: []fsm.Shard{
		{ID: "0-5460", Role: "replica", Offset: &fsm.Offset{Value: 918, Unit: "bytes"}, LagMS: new(int64(400))},
	},
	Attributes: map[string]string{"zone": "eu-1a", "maxmemory": "1073741824"},
}

func TestSuite(t *testing.T) {
	body, err := document.Encode()
	if err != nil {
		t.Fatal(err)
	}
	probetest.Run(t, probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return sidecar.New("", env) },
		Serve: func(conn net.Conn) { probetest.ServeHTTP(conn, string(body)) },
		Want:  report,
		Head:  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"protocol\": 1, \"kind\": \"",
		HTTP:  true,
	})
}

// start makes a prober that asks handler.
func start(t *testing.T, handler http.HandlerFunc) (refresh.Conditional, refresh.Target) {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	client, err := poll.New(poll.Config{Rules: poll.Rules{AllowLoopback: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	asker, err := sidecar.New("", refresh.Env{HTTP: client, Dial: client.Dial})
	if err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	n, _ := strconv.Atoi(port)
	return asker.(refresh.Conditional), refresh.Target{Node: "orders-1", Address: host, Port: n}
}

func TestNotModified(t *testing.T) {
	tag, err := document.ETag()
	if err != nil {
		t.Fatal(err)
	}
	body, _ := document.Encode()
	var lag string
	p, target := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/node" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.Header()[refresh.LagHeader] = []string{lag}
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Write(body)
	})

	first := p.ProbeIf(t.Context(), target, "")
	want := report
	want.Node = "orders-1"
	if diff := cmp.Diff(refresh.Answer{Report: want, ETag: tag}, first); diff != "" {
		t.Errorf("first answer (-want +got):\n%s", diff)
	}
	for sent, ms := range map[string]*int64{"750": new(int64(750)), "": nil, "-3": nil, "soon": nil} {
		lag = sent
		again := p.ProbeIf(t.Context(), target, first.ETag)
		want := refresh.Answer{Report: fsm.Report{Node: "orders-1"}, ETag: tag, NotModified: true, WorstLagMS: ms}
		if diff := cmp.Diff(want, again); diff != "" {
			t.Errorf("second answer with lag %q (-want +got):\n%s", sent, diff)
		}
	}
}

func TestTagsThatCannotBeSentBack(t *testing.T) {
	body, _ := document.Encode()
	for _, tag := range []string{"\"a b\"", "\"\xc3\xa9\"", fmt.Sprintf("%q", make([]byte, 300))} {
		p, target := start(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", tag)
			w.Write(body)
		})
		if a := p.ProbeIf(t.Context(), target, ""); a.ETag != "" || !a.Report.Reachable {
			t.Errorf("tag %.20q: the answer's is %q, its report %+v", tag, a.ETag, a.Report)
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		reason string
	}{
		"no JSON":         {200, "<html>", fsm.ReasonDecode},
		"no object":       {200, "[]", fsm.ReasonDecode},
		"more than one":   {200, `{"protocol":1}{"protocol":1}`, fsm.ReasonDecode},
		"next protocol":   {200, `{"protocol":2,"state":"up"}`, fsm.ReasonProtocol},
		"no protocol":     {200, `{"state":"up"}`, fsm.ReasonProtocol},
		"lag no integer":  {200, `{"protocol":1,"shards":[{"id":"0","lag_ms":0.5}]}`, fsm.ReasonDecode},
		"not found":       {404, "", fsm.ReasonHTTPStatus},
		"unasked 304":     {304, "", fsm.ReasonProtocol},
		"created, not ok": {201, `{"protocol":1}`, fsm.ReasonHTTPStatus},
	} {
		t.Run(name, func(t *testing.T) {
			p, target := start(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				if c.body != "" {
					w.Write([]byte(c.body))
				}
			})
			if r := p.Probe(t.Context(), target); r.Reachable || r.Reason != c.reason {
				t.Errorf("report is %+v, wanted is the reason %q", r, c.reason)
			}
		})
	}
}

// TestWhyAnAgentCouldNotAsk checks that the reason an agent gives is the node's, if it is one, and no word of its own making.
func TestWhyAnAgentCouldNotAsk(t *testing.T) {
	for body, want := range map[string]string{
		`{"error": {"message": "the store wants a password", "fields": {"reason": "authentication"}}}`: fsm.ReasonAuth,
		`{"error": {"message": "odd", "fields": {"reason": "because-00017"}}}`:                         fsm.ReasonHTTPStatus,
		`{"error": {"message": "no reason"}}`:                                                          fsm.ReasonHTTPStatus,
		`<html>`:                                                                                       fsm.ReasonHTTPStatus,
		``:                                                                                             fsm.ReasonHTTPStatus,
	} {
		p, target := start(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			w.Write([]byte(body))
		})
		r := p.Probe(t.Context(), target)
		if r.Reachable || r.Reason != want || want == fsm.ReasonAuth && r.Detail != "the store wants a password" {
			t.Errorf("%s: report is %+v, wanted is the reason %s", body, r, want)
		}
	}
}

func TestConfigRefused(t *testing.T) {
	for _, config := range []fsm.JSON{
		`{"path":"/x"}`, `{"token":"hunter2"}`, `{"token_file":"sidecars"}`, `{"tls_ca_file":"ca.pem"}`,
	} {
		if _, err := sidecar.New(config, refresh.Env{}); !errors.Is(err, fsm.ErrInvalid) {
			t.Errorf("%s: error is %v", config, err)
		}
	}
}
