package cert_test

import (
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
			[]string{"CA file", "/nowhere/ca.pem", "no such file"},
		},
		"no certificate": {
			func(_ place, c *cert.Config) { c.Files.Cert = "/nowhere/a.pem" },
			[]string{"certificate", "/nowhere/a.pem"},
		},
		"no key": {
			func(_ place, c *cert.Config) { c.Files.Key = "/nowhere/a-key.pem" },
			[]string{"key", "/nowhere/a-key.pem"},
		},
		"empty CA file": {
			func(p place, _ *cert.Config) { p.write("ca.pem") },
			[]string{"CA file", "ca.pem", "empty"},
		},
		"key in the place of the certificate": {
			func(_ place, c *cert.Config) { c.Files.Cert = c.Files.Key },
			[]string{"certificate", "a-key.pem", "BEGIN CERTIFICATE"},
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
			[]string{"b-key.pem", "not the key of certificate", "a.pem"},
		},
		"key open to all": {
			func(p place, _ *cert.Config) { p.mode("a-key.pem", 0o604) },
			[]string{"a-key.pem", "0604", "chmod 600"},
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
			[]string{"CA file", "a.pem", "no authority"},
		},
		"authority in the place of the certificate": {
			func(p place, c *cert.Config) { c.Files.Cert, c.Files.Key = p.path("ca.pem"), p.path("ca-key.pem") },
			[]string{"ca.pem", "authority", "muster tls cert create -peer"},
		},
		"client's": {
			func(p place, _ *cert.Config) { p.issue("ca", "a", func(q *cert.Request) { q.Peer = false }) },
			[]string{"a.pem", "client.muster.muster", "peer.muster.muster", "muster tls cert create -peer"},
		},
		"another group": {
			func(p place, _ *cert.Config) { p.issue("ca", "a", func(q *cert.Request) { q.Group = "payments" }) },
			[]string{"a.pem", "peer.payments.muster", "peer.muster.muster", "-group muster"},
		},
		"ended": {
			func(_ place, c *cert.Config) { c.Now = func() time.Time { return today.Add(year + time.Second) } },
			[]string{"a.pem", "ended 2031-05-17 12:00 UTC", "muster tls cert create -peer"},
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
			wants(t, err, append(c.says, "tls: ")...)
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

// TestKeyOfTheGroup lets the group read a key, as packages install it.
func TestKeyOfTheGroup(t *testing.T) {
	p := newPlace(t)
	p.authority("ca")
	p.issue("ca", "a", nil)
	p.mode("a-key.pem", 0o640)
	p.open("ca", "a")
}
