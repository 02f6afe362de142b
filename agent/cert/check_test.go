package cert_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"testing"
	"time"

	"github.com/musterhq/muster/agent/cert"
)

// TestUnusableFilesAreRefused opens certificates with one thing wrong: the message names the file, what was found and what
// would be right.
func TestUnusableFilesAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(place, *cert.Config)
		says   []string
	}{
		"no CA file": {
			func(_ place, c *cert.Config) { c.Files.CA = "/nowhere/ca.pem" },
			[]string{"-ca-file: ", "CA file", "/nowhere/ca.pem", "no such file"},
		},
		"no certificate": {
			func(_ place, c *cert.Config) { c.Files.Cert = "/nowhere/a.pem" },
			[]string{"-cert-file: ", "certificate", "/nowhere/a.pem"},
		},
		"no key": {
			func(_ place, c *cert.Config) { c.Files.Key = "/nowhere/a-key.pem" },
			[]string{"-key-file: ", "key", "/nowhere/a-key.pem"},
		},
		"directory in the place of the key": {
			func(p place, c *cert.Config) { c.Files.Key = p.dir },
			[]string{"key", "is a directory"},
		},
		"CA file without end": {
			func(_ place, c *cert.Config) { c.Files.CA = "/dev/zero" },
			[]string{"CA file", "/dev/zero is a device"},
		},
		"empty CA file": {
			func(p place, _ *cert.Config) { p.write("ca.pem") },
			[]string{"-ca-file: ", "CA file", "ca.pem", "empty"},
		},
		"key in the place of the certificate": {
			func(_ place, c *cert.Config) { c.Files.Cert = c.Files.Key },
			[]string{"-cert-file: ", "certificate", "a-key.pem", "BEGIN CERTIFICATE"},
		},
		"certificate in the place of the key": {
			func(p place, c *cert.Config) { c.Files.Key = p.path("a.pem") },
			[]string{"key", "a.pem", "not the key"},
		},
		"garbage in the place of the key": {
			func(p place, _ *cert.Config) { p.write("a-key.pem", []byte("secret")) },
			[]string{"key", "a-key.pem", "-----BEGIN"},
		},
		"key of another": {
			func(p place, c *cert.Config) {
				p.issue("ca", "b", nil)
				c.Files.Key = p.path("b-key.pem")
			},
			[]string{"-key-file: ", "b-key.pem", "not the key of certificate", "a.pem"},
		},
		"key open to all": {
			func(p place, _ *cert.Config) { p.mode("a-key.pem", 0o604) },
			[]string{"-key-file: ", "a-key.pem", "0604", "chmod 600"},
		},
		"key the group may change": {
			func(p place, _ *cert.Config) { p.mode("a-key.pem", 0o660) },
			[]string{"a-key.pem", "0660", "chmod 600"},
		},
		"another authority": {
			func(p place, c *cert.Config) {
				p.authority("other")
				c.Files.CA = p.path("other.pem")
			},
			[]string{"a.pem", `signed by ca `, "other.pem", `"other `},
		},
		"certificate in the place of the authority": {
			func(p place, c *cert.Config) { c.Files.CA = p.path("a.pem") },
			[]string{"-ca-file: ", "CA file", "a.pem", "no authority"},
		},
		"authority in the place of the certificate": {
			func(p place, c *cert.Config) { c.Files.Cert, c.Files.Key = p.path("ca.pem"), p.path("ca-key.pem") },
			[]string{"ca.pem", "authority", "muster tls cert create -peer"},
		},
		"client's": {
			func(p place, _ *cert.Config) { p.issue("ca", "a", func(q *cert.Request) { q.Peer = false }) },
			[]string{"-cert-file: ", "a.pem", "client.muster.muster", "peer.muster.muster", "muster tls cert create -peer"},
		},
		"another group": {
			func(p place, _ *cert.Config) { p.issue("ca", "a", func(q *cert.Request) { q.Group = "payments" }) },
			[]string{"a.pem", "peer.payments.muster", "peer.muster.muster", "-group muster"},
		},
		"ended": {
			func(_ place, c *cert.Config) { c.Now = func() time.Time { return today.Add(year + time.Second) } },
			[]string{"-cert-file: ", "a.pem", "ended 2031-05-17 12:00 UTC", "muster tls cert create -peer"},
		},
		"not begun": {
			func(_ place, c *cert.Config) { c.Now = func() time.Time { return today.Add(-time.Hour) } },
			[]string{"a.pem", "begins 2030-05-17 11:55 UTC", "here it is 2030-05-17 11:00 UTC", "clock"},
		},
		"authority ended": {
			func(_ place, c *cert.Config) { c.Now = func() time.Time { return today.Add(6 * year) } },
			[]string{"ca.pem", "no authority that is still good", "ended 2035-05-16"},
		},
		"no group for a certificate": {
			func(_ place, c *cert.Config) { c.Group = "a.b" },
			[]string{`"a.b"`, "letters, digits"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.authority("ca")
			p.issue("ca", "a", nil)
			cfg := p.config("ca", "a")
			c.change(p, &cfg)
			_, err := cert.Open(cfg)
			wants(t, err, c.says...)
			if only := cert.Check(cfg); only == nil || only.Error() != err.Error() {
				t.Errorf("without opening them it says %v", only)
			}
		})
	}
}

func (p place) mode(name string, mode os.FileMode) {
	p.Helper()
	if err := os.Chmod(p.path(name), mode); err != nil {
		p.Fatal(err)
	}
}

// TestUsesAreJudged has a certificate with the right name and not all uses.
func TestUsesAreJudged(t *testing.T) {
	p := newPlace(t)
	p.authority("ca")
	p.issue("ca", "a", func(q *cert.Request) { q.Peer, q.DNS = false, []string{"peer.muster.muster"} })
	_, err := cert.Open(p.config("ca", "a"))
	wants(t, err, "a.pem", "serverAuth", "clientAuth")
}

// TestUsesOfTheAuthorityAreJudged has a good certificate of an authority that may sign for one use alone: others would not take
// the peer's calls, or it would not take theirs.
func TestUsesOfTheAuthorityAreJudged(t *testing.T) {
	for use, lacks := range map[x509.ExtKeyUsage]string{x509.ExtKeyUsageServerAuth: "clientAuth", x509.ExtKeyUsageClientAuth: "serverAuth"} {
		p := newPlace(t)
		p.limited("ca", use)
		p.issue("ca", "a", nil)
		_, err := cert.Open(p.config("ca", "a"))
		wants(t, err, "a.pem", "may not sign for "+lacks, "ca.pem")
	}
}

// limited makes an authority that may sign for one use alone.
func (p place) limited(name string, use x509.ExtKeyUsage) {
	p.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: today.Add(-year), NotAfter: today.Add(5 * year),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{use},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		p.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	p.store(name, cert.Issued{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
	}, err)
}

// TestKeyOfTheGroup lets the group read a key, as packages install it.
func TestKeyOfTheGroup(t *testing.T) {
	p := newPlace(t)
	p.authority("ca")
	p.issue("ca", "a", nil)
	p.mode("a-key.pem", 0o640)
	p.open("ca", "a")
}
