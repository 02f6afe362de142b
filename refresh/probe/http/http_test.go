package httpprobe_test

import (
	"encoding/pem"
	"errors"
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
	httpprobe "github.com/musterhq/muster/refresh/probe/http"
	"github.com/musterhq/muster/refresh/probe/probetest"
)

func TestSuite(t *testing.T) {
	probetest.Run(t, probetest.Subject{
		Make:  func(env refresh.Env) (refresh.Asker, error) { return httpprobe.New(`{"kind":"vault"}`, env) },
		Serve: func(conn net.Conn) { probetest.ServeHTTP(conn, "ok") },
		Want:  fsm.Report{Reachable: true, State: fsm.StateUp, Kind: "vault"},
		Head:  "HTTP/1.1 200 OK\r\n\r\n",
		HTTP:  true,
	})
}

func TestAnswers(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Version", "1.9.2")
		switch r.URL.RequestURI() {
		case "/sys/health?standby=1":
			w.WriteHeader(http.StatusTooManyRequests)
		case "/none":
			w.WriteHeader(http.StatusNoContent)
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer srv.Close()
	addr := srv.Listener.Addr().(*net.TCPAddr)
	target := refresh.Target{Node: "v1", Address: addr.IP.String(), Port: addr.Port}
	client, err := poll.New(poll.Config{Rules: poll.Rules{AllowLoopback: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	up := fsm.Report{Node: "v1", Reachable: true, State: fsm.StateUp}
	versioned := up
	versioned.Version = "1.9.2"
	for config, want := range map[fsm.JSON]fsm.Report{
		`{"path":"/none"}`: up,
		`{"path":"/none","version_header":"x-version"}`:           versioned,
		`{"path":"/sys/health?standby=1","expect":["200","429"]}`: up,
		`{"path":"/sys/health?standby=1"}`:                        fsm.Unreachable("v1", fsm.ReasonHTTPStatus, "429 Too Many Requests"),
		`{"path":"/none","expect":["200"]}`:                       fsm.Unreachable("v1", fsm.ReasonHTTPStatus, "204 No Content"),
		`{}`:                                                      fsm.Unreachable("v1", fsm.ReasonHTTPStatus, "503 Service Unavailable"),
	} {
		asker, err := httpprobe.New(config, refresh.Env{HTTP: client})
		if err != nil {
			t.Errorf("%s: %v", config, err)
			continue
		}
		got := asker.(refresh.Prober).Probe(t.Context(), target)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", config, diff)
		}
	}
}

func TestTLSAndLogin(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "muster" || password != "knock" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	addr := srv.Listener.Addr().(*net.TCPAddr)
	target := refresh.Target{Node: "v1", Address: addr.IP.String(), Port: addr.Port}
	kept := map[refresh.Secret]string{
		{File: "ca"}:        string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})),
		{File: "right"}:     "knock",
		{Variable: "WRONG"}: "hunter2",
	}
	for config, reason := range map[fsm.JSON]string{
		`{"tls":true,"tls_ca_file":"ca","username":"muster","password_file":"right"}`: "",
		`{"tls":true,"tls_ca_file":"ca","username":"muster","password_env":"WRONG"}`:  fsm.ReasonAuth,
		`{"tls":true,"tls_ca_file":"ca"}`:                                             fsm.ReasonAuth,
		`{"tls":true,"tls_ca_file":"ca","expect":["401"]}`:                            "",
		`{"tls":true,"username":"muster","password_file":"right"}`:                    fsm.ReasonTLS,
	} {
		asker, err := httpprobe.New(config, refresh.Env{
			Dial:   poll.NewDialer(poll.Rules{AllowLoopback: true}).Dial,
			Reveal: func(s refresh.Secret) (string, error) { return kept[s], nil },
		})
		if err != nil {
			t.Errorf("%s: %v", config, err)
			continue
		}
		r := asker.(refresh.Prober).Probe(t.Context(), target)
		asker.Close()
		if r.Reachable != (reason == "") || r.Reason != reason {
			t.Errorf("%s: report is %+v, wanted is the reason %q", config, r, reason)
		}
		if strings.Contains(r.Detail, "knock") || strings.Contains(r.Detail, "hunter2") {
			t.Errorf("%s: the report holds the password: %s", config, r.Detail)
		}
	}
}

func TestConfigRefused(t *testing.T) {
	for config, field := range map[fsm.JSON]string{
		`{"path":"healthz"}`:          "refresh.config.path",
		`{"path":"http://10.0.0.1/"}`: "refresh.config.path",
		`{"path":"/a b"}`:             "refresh.config.path",
		`{"path":"/a\r\nX: y"}`:       "refresh.config.path",
		`{"path":"/a?token=hunter2"}`: "refresh.config.path",
		`{"path":7}`:                  "refresh.config.path",
		`{"expect":[]}`:               "refresh.config.expect",
		`{"expect":["200-399"]}`:      "refresh.config.expect",
		`{"expect":["302"]}`:          "refresh.config.expect",
		`{"expect":["100"]}`:          "refresh.config.expect",
		`{"expect":["many"]}`:         "refresh.config.expect",
		`{"expect":"200"}`:            "refresh.config.expect",
		`{"follow":true}`:             "refresh.config.follow",
		`{"bearer_token":"hunter2"}`:  "refresh.config.bearer_token",
		`{"kind":"` + fsm.JSON(strings.Repeat("k", 65)) + `"}`: "refresh.config.kind",
	} {
		_, err := httpprobe.New(config, refresh.Env{})
		var invalid *fsm.Error
		if !errors.As(err, &invalid) || invalid.Code != fsm.CodeInvalid || invalid.Fields[field] == "" {
			t.Errorf("%s: error is %v, wanted is one on %s", config, err, field)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error repeats the secret: %v", config, err)
		}
	}
}
