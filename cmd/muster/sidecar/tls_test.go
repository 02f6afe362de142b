package sidecar_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// pair writes a certificate for 127.0.0.1 that is its own authority, and its key, to name.crt and name.key.
func pair(t *testing.T, dir, name string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for suffix, block := range map[string]*pem.Block{
		".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(filepath.Join(dir, name+suffix), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// listen opens a port of 127.0.0.1.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// shake connects and says how a request ends: with a status, or an error.
func shake(t *testing.T, ln net.Listener, config *tls.Config) (int, error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+ln.Addr().String()+"/v1/node", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

func trust(c *x509.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(c)
	return &tls.Config{RootCAs: pool}
}

func TestCertificatesAreReplaced(t *testing.T) {
	dir := t.TempDir()
	first := pair(t, dir, "a")
	c := config(&store{says: leader()})
	c.Listener, c.Certificate, c.Key = listen(t), filepath.Join(dir, "a.crt"), filepath.Join(dir, "a.key")
	run(t, c)
	expect := func(what string, trusted *x509.Certificate, good bool) {
		t.Helper()
		status, err := shake(t, c.Listener, trust(trusted))
		if good != (status == http.StatusOK && err == nil) {
			t.Errorf("%s: status %d, error %v", what, status, err)
		}
	}
	expect("first", first, true)

	second := pair(t, dir, "a")
	expect("replaced", second, true)
	expect("replaced, the old one", first, false)

	if err := os.WriteFile(c.Key, []byte("none"), 0o600); err != nil {
		t.Fatal(err)
	}
	expect("spoilt", second, true)
	if err := os.Remove(c.Certificate); err != nil {
		t.Fatal(err)
	}
	expect("gone", second, true)
	expect("replaced again", pair(t, dir, "a"), true)
}

func TestOldTLSIsRefused(t *testing.T) {
	dir := t.TempDir()
	trusted := trust(pair(t, dir, "a"))
	c := config(&store{says: leader()})
	c.Listener, c.Certificate, c.Key = listen(t), filepath.Join(dir, "a.crt"), filepath.Join(dir, "a.key")
	run(t, c)
	for version, good := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		config := trusted.Clone()
		config.MinVersion, config.MaxVersion = version, version
		if status, err := shake(t, c.Listener, config); good != (status == http.StatusOK) {
			t.Errorf("%s: status %d, error %v", tls.VersionName(version), status, err)
		}
	}
}

func TestClientCertificates(t *testing.T) {
	dir := t.TempDir()
	trusted := trust(pair(t, dir, "a"))
	pair(t, dir, "peers")
	pair(t, dir, "others")
	c := config(&store{says: leader()})
	c.Listener, c.Certificate, c.Key = listen(t), filepath.Join(dir, "a.crt"), filepath.Join(dir, "a.key")
	c.ClientCA = filepath.Join(dir, "peers.crt")
	run(t, c)
	for name, good := range map[string]bool{"peers": true, "others": false, "": false} {
		config := trusted.Clone()
		if name != "" {
			own, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key"))
			if err != nil {
				t.Fatal(err)
			}
			config.Certificates = []tls.Certificate{own}
		}
		if status, err := shake(t, c.Listener, config); good != (status == http.StatusOK && err == nil) {
			t.Errorf("%q: status %d, error %v", name, status, err)
		}
	}
}
