package probetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates for servers of a test, and for those who ask them.
type Authority struct {
	Certificate *x509.Certificate
	PEM         string // the same as text, for tls_ca_file

	key *ecdsa.PrivateKey
}

// Pair is a certificate and its key, both in PEM.
type Pair struct{ Certificate, Key string }

// NewAuthority makes an authority that is good for an hour.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	template := certificate("authority")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	raw, key := sign(t, template, nil)
	made, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &Authority{Certificate: made, PEM: encode("CERTIFICATE", raw), key: key}
}

// Issue makes a certificate that is good for both sides of a connection: of a host by address or name, or of nobody's when
// host is empty, as clients have.
func (a *Authority) Issue(t testing.TB, host string) Pair {
	t.Helper()
	template := certificate("muster")
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else if host != "" {
		template.DNSNames = []string{host}
	}
	raw, key := sign(t, template, a)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return Pair{encode("CERTIFICATE", raw), encode("PRIVATE KEY", secret)}
}

// Write writes NAME.pem and NAME-key.pem into a folder and gives their paths.
func (p Pair) Write(t testing.TB, folder, name string) (certificate, key string) {
	t.Helper()
	certificate, key = filepath.Join(folder, name+".pem"), filepath.Join(folder, name+"-key.pem")
	for path, text := range map[string]string{certificate: p.Certificate, key: p.Key} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certificate, key
}

func certificate(name string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
	}
}

// sign makes a certificate by an authority, or by itself when there is none.
func sign(t testing.TB, template *x509.Certificate, by *Authority) (raw []byte, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.Certificate, by.key
	}
	if raw, err = x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer); err != nil {
		t.Fatal(err)
	}
	return raw, key
}

func encode(kind string, raw []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}))
}
