package sidecar_test

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
	"github.com/musterhq/muster/refresh/probe/probetest"
	"github.com/musterhq/muster/refresh/probe/sidecar"
)

// secrets reveals what is kept in it, by file or variable.
type secrets map[string]string

func (s secrets) reveal(named refresh.Secret) (string, error) {
	if text, ok := s[named.File+named.Variable]; ok {
		return text, nil
	}
	return "", http.ErrMissingFile
}

func TestSuiteWithToken(t *testing.T) {
	body, err := document.Encode()
	if err != nil {
		t.Fatal(err)
	}
	probetest.Run(t, probetest.Subject{
		Make: func(env refresh.Env) (refresh.Asker, error) {
			env.Reveal = secrets{"TOKEN": "knock"}.reveal
			return sidecar.New(`{"token_env":"TOKEN"}`, env)
		},
		Serve: func(conn net.Conn) { probetest.ServeHTTP(conn, string(body)) },
		Want:  report,
		Head:  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"protocol\": 1, \"kind\": \"",
		HTTP:  true,
	})
}

// TestTLSAndToken asks a sidecar that wants both.
func TestTLSAndToken(t *testing.T) {
	tag, err := document.ETag()
	if err != nil {
		t.Fatal(err)
	}
	body, _ := document.Encode()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		w.Header().Set(refresh.LagHeader, "750")
		switch {
		case r.Header.Get("Authorization") != "Bearer knock":
			w.WriteHeader(http.StatusUnauthorized)
		case r.Header.Get("If-None-Match") == tag:
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Write(body)
		}
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	kept := secrets{
		"ca.pem": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})),
		"token":  "knock", "TOKEN": "hunter2",
	}
	addr := srv.Listener.Addr().(*net.TCPAddr)
	target := refresh.Target{Node: "orders-1", Address: addr.IP.String(), Port: addr.Port}
	ask := func(config fsm.JSON, etag string) refresh.Answer {
		dial := poll.NewDialer(poll.Rules{AllowLoopback: true}).Dial
		asker, err := sidecar.New(config, refresh.Env{Dial: dial, Reveal: kept.reveal})
		if err != nil {
			t.Fatal(err)
		}
		defer asker.Close()
		return asker.(refresh.Conditional).ProbeIf(t.Context(), target, etag)
	}

	right := fsm.JSON(`{"tls":true,"tls_ca_file":"ca.pem","token_file":"token"}`)
	want := report
	want.Node = "orders-1"
	if diff := cmp.Diff(refresh.Answer{Report: want, ETag: tag}, ask(right, "")); diff != "" {
		t.Errorf("first answer (-want +got):\n%s", diff)
	}
	same := refresh.Answer{Report: fsm.Report{Node: "orders-1"}, ETag: tag, NotModified: true, WorstLagMS: new(int64(750))}
	if diff := cmp.Diff(same, ask(right, tag)); diff != "" {
		t.Errorf("second answer (-want +got):\n%s", diff)
	}
	for config, reason := range map[fsm.JSON]string{
		`{"tls":true,"tls_ca_file":"ca.pem"}`:                            fsm.ReasonAuth,
		`{"tls":true,"tls_ca_file":"ca.pem","token_env":"TOKEN"}`:        fsm.ReasonAuth,
		`{"tls":true,"tls_ca_file":"ca.pem","token_file":"elsewhere"}`:   fsm.ReasonAuth,
		`{"tls":true,"token_file":"token"}`:                              fsm.ReasonTLS,
		`{"tls":true,"tls_ca_file":"token","token_file":"token"}`:        fsm.ReasonTLS,
		`{"tls":true,"tls_ca_file":"ca.pem","tls_server_name":"else.w"}`: fsm.ReasonTLS,
	} {
		r := ask(config, "").Report
		if r.Reachable || r.Reason != reason {
			t.Errorf("%s: report is %+v, wanted is the reason %s", config, r, reason)
		}
		if strings.Contains(r.Detail, "knock") || strings.Contains(r.Detail, "hunter2") {
			t.Errorf("%s: the report holds a token: %s", config, r.Detail)
		}
	}
}

// still answers "as I said before" without a network.
type still struct{}

func (still) Fetch(_ context.Context, r refresh.Request) (refresh.Response, error) {
	return refresh.Response{Status: http.StatusNotModified, Kept: r.Keep}, nil
}

func BenchmarkNotModified(b *testing.B) {
	asker, err := sidecar.New("", refresh.Env{HTTP: still{}})
	if err != nil {
		b.Fatal(err)
	}
	p, target := asker.(refresh.Conditional), refresh.Target{Node: "orders-1", Address: "10.0.0.7", Port: 8655}
	b.ReportAllocs()
	for b.Loop() {
		p.ProbeIf(b.Context(), target, `"1"`)
	}
}
