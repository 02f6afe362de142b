package probe_test

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

// serveTLS answers over TLS on a loopback port.
func serveTLS(t *testing.T, config *tls.Config) *site {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok")
	}))
	srv.TLS = config
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return &site{address: srv.Listener.Addr().String()}
}

func TestHandshake(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	mine, strange := ours.Issue(t, ""), theirs.Issue(t, "")
	old := ours.server(t, "127.0.0.1", nil)
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	trusting := probe.TLS{On: true, Authorities: "ours"}
	known := probe.TLS{On: true, Authorities: "ours", Certificate: "cert", Key: "key"}
	strangers := probe.TLS{On: true, Authorities: "ours", Certificate: "strange", Key: "strange key"}
	mixed := probe.TLS{On: true, Authorities: "ours", Certificate: "cert", Key: "strange key"}
	named := probe.TLS{On: true, Authorities: "ours", ServerName: "db.example"}
	for name, c := range map[string]struct {
		server *tls.Config
		client probe.TLS
		reason string
	}{
		"right":              {ours.server(t, "127.0.0.1", nil), trusting, ""},
		"right by name":      {ours.server(t, "db.example", nil), named, ""},
		"wrong authority":    {theirs.server(t, "127.0.0.1", nil), trusting, fsm.ReasonTLS},
		"authorities of all": {ours.server(t, "127.0.0.1", nil), probe.TLS{On: true}, fsm.ReasonTLS},
		"wrong host":         {ours.server(t, "10.0.0.1", nil), trusting, fsm.ReasonTLS},
		"wrong name":         {ours.server(t, "127.0.0.1", nil), named, fsm.ReasonTLS},
		"an old version":     {old, trusting, fsm.ReasonTLS},
		"client known":       {ours.server(t, "127.0.0.1", ours), known, ""},
		"client without":     {ours.server(t, "127.0.0.1", ours), trusting, fsm.ReasonTLS},
		"client of another":  {ours.server(t, "127.0.0.1", ours), strangers, fsm.ReasonTLS},
		"key of another":     {ours.server(t, "127.0.0.1", ours), mixed, fsm.ReasonTLS},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveTLS(t, c.server)
			for name, text := range map[string]string{
				"ours": ours.PEM, "cert": mine.Certificate, "key": mine.Key, "strange": strange.Certificate, "strange key": strange.Key,
			} {
				s.vault.put(name, text)
			}
			pages := s.pages(t, probe.Web{TLS: c.client})
			for range 2 {
				answer, err := pages.Fetch(t.Context(), s.get("/"))
				switch {
				case c.reason == "" && (err != nil || string(answer.Body) != "ok"):
					t.Errorf("answer is %+v, error %v", answer, err)
				case c.reason != "" && (err == nil || refresh.FaultOf(err).Reason != c.reason):
					t.Errorf("error is %v, wanted is the reason %s", err, c.reason)
				}
				s.vault.expectNoSecret(t, err)
			}
		})
	}
}

func TestHandshakeWithAnotherProtocol(t *testing.T) {
	s := serveSite(t, func(http.ResponseWriter, *http.Request) { t.Error("it was asked in the clear") })
	if _, err := s.pages(t, probe.Web{TLS: probe.TLS{On: true}}).Fetch(t.Context(), s.get("/")); err == nil ||
		refresh.FaultOf(err).Reason != fsm.ReasonTLS {
		t.Errorf("error is %v", err)
	}
}

// hangsUp hears a beginning, answers it, and goes.
func hangsUp(t *testing.T, answer func(request string) string) *site {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if conn, err := l.Accept(); err == nil {
			heard := make([]byte, 4096)
			n, _ := conn.Read(heard)
			_, _ = io.WriteString(conn, answer(string(heard[:n])))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return &site{address: l.Addr().String()}
}

// A server without TLS often hangs up on what it does not understand.
func TestHandshakeCutShort(t *testing.T) {
	s := hangsUp(t, func(string) string { return "" })
	_, err := s.pages(t, probe.Web{TLS: probe.TLS{On: true}}).Fetch(t.Context(), s.get("/"))
	if f := refresh.FaultOf(err); f.Reason != fsm.ReasonTLS || !strings.Contains(f.Detail, "during the handshake") {
		t.Errorf("error is %v", err)
	}
}

// A line of an answer that is no header is shown, and may be one of the request's.
func TestLoginIsNotRepeated(t *testing.T) {
	for name, web := range map[string]probe.Web{
		"token": {Token: refresh.Secret{Variable: "secret"}},
		"login": {Login: probe.Login{Username: "muster", Password: refresh.Secret{Variable: "secret"}}},
	} {
		shown := ""
		s := hangsUp(t, func(request string) string {
			_, shown, _ = strings.Cut(request, "Authorization: ")
			shown, _, _ = strings.Cut(shown, "\r\n")
			return "HTTP/1.1 200 OK\r\nwhat is " + shown + "\r\n\r\n"
		})
		s.vault.put("secret", "hunter2")
		_, err := s.pages(t, web).Fetch(t.Context(), s.get("/"))
		_, credential, _ := strings.Cut(shown, " ")
		if err == nil || !strings.Contains(err.Error(), "…") || strings.Contains(err.Error(), credential) || credential == "" {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}
