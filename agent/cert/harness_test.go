package cert_test

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/cert"
)

// the day on which all of a test happens that names no other.
var today = time.Date(2030, 5, 17, 12, 0, 0, 0, time.UTC)

const year = 365 * 24 * time.Hour

// place is a folder with authorities and certificates.
type place struct {
	*testing.T
	dir string
}

func newPlace(t *testing.T) place { return place{t, t.TempDir()} }

func (p place) path(name string) string { return filepath.Join(p.dir, name) }

// write stores a file as only its owner may read it.
func (p place) write(name string, content ...[]byte) string {
	p.Helper()
	if err := os.WriteFile(p.path(name), bytes.Join(content, nil), 0o600); err != nil {
		p.Fatal(err)
	}
	return p.path(name)
}

func (p place) store(name string, i cert.Issued, err error) cert.Issued {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
	p.write(name+".pem", i.Cert)
	p.write(name+"-key.pem", i.Key)
	return i
}

// authority makes one that lasts five years.
func (p place) authority(name string) cert.Issued {
	p.Helper()
	i, err := cert.NewAuthority(name, today.Add(-year), 6*year)
	return p.store(name, i, err)
}

// issue makes a certificate of group muster for a year, unless the change says otherwise.
func (p place) issue(authority, name string, change func(*cert.Request)) cert.Issued {
	p.Helper()
	a, err := cert.OpenAuthority(p.path(authority+".pem"), p.path(authority+"-key.pem"), today)
	if err != nil {
		p.Fatal(err)
	}
	q := cert.Request{Name: name, Group: "muster", Peer: true, Now: today, Lasts: year}
	if change != nil {
		change(&q)
	}
	i, err := a.Issue(q)
	return p.store(name, i, err)
}

// config is that of a peer with the files of a name.
func (p place) config(authority, name string) cert.Config {
	return cert.Config{
		Files: cert.Files{CA: p.path(authority + ".pem"), Cert: p.path(name + ".pem"), Key: p.path(name + "-key.pem")},
		Group: "muster", Now: func() time.Time { return today },
		Log: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	}
}

func (p place) open(authority, name string) *cert.Certificates {
	p.Helper()
	c, err := cert.Open(p.config(authority, name))
	if err != nil {
		p.Fatal(err)
	}
	return c
}

// meet lets a client and a server shake hands and send a byte each way; the errors are those of either side.
func meet(t *testing.T, client, server *tls.Config) (ofClient, ofServer error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ended := make(chan error, 1)
	go func() {
		far, err := ln.Accept()
		if err != nil {
			ended <- err
			return
		}
		defer far.Close()
		s := tls.Server(far, server)
		_, err = s.Read(make([]byte, 1))
		if err == nil {
			_, err = s.Write([]byte{2})
		}
		ended <- err
	}()
	near, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := tls.Client(near, client)
	_, ofClient = c.Write([]byte{1})
	if ofClient == nil {
		_, ofClient = c.Read(make([]byte, 1))
	}
	near.Close()
	return ofClient, <-ended
}

func wants(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error does not say %q: %v", w, err)
		}
	}
}
