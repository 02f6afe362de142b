package httpd_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// pair is a certificate for loopback, as a server has it and as a client trusts it.
func pair() (server, client *tls.Config) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return &tls.Config{Certificates: s.TLS.Certificates}, &tls.Config{RootCAs: pool}
}

func TestOverTLS(t *testing.T) {
	server, client := pair()
	reg := prometheus.NewRegistry()
	f := newFace(t, func(c *httpd.Config) { c.TLS, c.Registerer = server, reg })
	to := f.serving(t)
	ask := func(address string, conf *tls.Config) error {
		transport := &http.Transport{TLSClientConfig: conf, DisableKeepAlives: true}
		api, err := httpd.NewClient(httpd.ClientConfig{Address: address, HTTP: &http.Client{Transport: transport}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = api.Ready(t.Context())
		return err
	}
	if err := ask("https://"+to.String(), client); err != nil {
		t.Error(err)
	}
	if err := ask("https://"+to.String(), nil); !errors.As(err, new(*tls.CertificateVerificationError)) {
		t.Errorf("who trusts nobody gets %v", err)
	}
	err := ask(to.String(), nil)
	if !errors.Is(err, fsm.ErrInvalid) || !strings.Contains(err.Error(), "https://") || !strings.Contains(err.Error(), "-ca-file") {
		t.Errorf("plain HTTP gets %v", err)
	}
	if n := counted(t, reg, "muster_http_refused_total", "plain"); n != 1 {
		t.Errorf("%v refused, want 1", n)
	}
}

// TestClientTakesTLS asks with the client's own transport.
func TestClientTakesTLS(t *testing.T) {
	server, client := pair()
	f := newFace(t, func(c *httpd.Config) { c.TLS = server })
	api, err := httpd.NewClient(httpd.ClientConfig{Address: "https://" + f.serving(t).String(), TLS: client})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestSilentHandshakeIsCutOff connects and says nothing, and half of something.
func TestSilentHandshakeIsCutOff(t *testing.T) {
	server, _ := pair()
	for _, said := range []string{"", "\x16\x03\x01\x02\x00"} {
		synctest.Test(t, func(t *testing.T) {
			f := newFace(t, func(c *httpd.Config) { c.TLS = server })
			ln := newPipes()
			f.run(t, ln)
			conn, err := ln.dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if _, err := io.WriteString(conn, said); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(conn); err != nil && !errors.Is(err, io.ErrClosedPipe) {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 11*time.Second {
				t.Errorf("a handshake without end held its connection for %s", took)
			}
		})
	}
}
