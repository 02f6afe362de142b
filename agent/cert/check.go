package cert

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// held is what the files held when they were last good.
type held struct {
	raw   raw
	own   tls.Certificate
	leaf  *x509.Certificate
	roots []*x509.Certificate
	pool  *x509.CertPool
}

// PeerName is the name in the certificates of a group's peers.
func PeerName(group string) string { return "peer." + group + ".muster" }

// ClientName is the name in the certificates of a group's clients.
func ClientName(group string) string { return "client." + group + ".muster" }

var groupName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$`)

// CheckGroup says whether a group's name may stand in a certificate.
func CheckGroup(name string) error {
	if len(name) > 63 || !groupName.MatchString(name) {
		return fmt.Errorf("group %q cannot be named in a certificate: with TLS, -group is at most 63 letters, digits, '-' and '_', "+
			"with a letter or digit at both ends", name)
	}
	return nil
}

// judge makes what the files hold usable, or says by which option it is not, and why.
func (c *Config) judge(r raw) (*held, error) {
	roots, err := parse("CA file", c.Files.CA, r.ca)
	if err != nil {
		return nil, of(caOption, err)
	}
	h, now := &held{raw: r, roots: roots, pool: poolOf(roots)}, c.Now()
	if err := c.checkRoots(h, now); err != nil {
		return nil, of(caOption, err)
	}
	if _, err := parse("certificate", c.Files.Cert, r.cert); err != nil {
		return nil, of(certOption, err)
	}
	if h.own, err = pair(c.Files, r); err != nil {
		return nil, of(keyOption, err)
	}
	h.leaf = h.own.Leaf
	for _, check := range []func(*held, time.Time) error{c.checkTime, c.checkName, c.checkUses, c.checkChain} {
		if err := check(h, now); err != nil {
			return nil, of(certOption, err)
		}
	}
	return h, nil
}

// The options that name a peer's files.
const (
	caOption   = "-ca-file"
	certOption = "-cert-file"
	keyOption  = "-key-file"
)

func of(option string, err error) error { return fmt.Errorf("%s: %w", option, err) }

func (c *Config) checkRoots(h *held, now time.Time) error {
	for _, a := range h.roots {
		if !a.IsCA {
			return fmt.Errorf("CA file %s holds the certificate of %s, which is no authority: "+
				"put the certificate there that it was signed with", c.Files.CA, called(a))
		}
	}
	if last := slices.MaxFunc(h.roots, byEnd).NotAfter; now.After(last) {
		return fmt.Errorf("CA file %s holds no authority that is still good: the last one ended %s", c.Files.CA, day(last))
	}
	return nil
}

func (c *Config) checkTime(h *held, now time.Time) error {
	switch {
	case now.After(h.leaf.NotAfter):
		return fmt.Errorf("certificate %s ended %s; make a new one: muster tls cert create -peer", c.Files.Cert, day(h.leaf.NotAfter))
	case now.Before(h.leaf.NotBefore):
		return fmt.Errorf("certificate %s begins %s, and here it is %s: is the clock right?",
			c.Files.Cert, day(h.leaf.NotBefore), day(now))
	}
	return nil
}

func (c *Config) checkName(h *held, _ time.Time) error {
	want := PeerName(c.Group)
	switch {
	case slices.Contains(h.leaf.DNSNames, want):
		return nil
	case h.leaf.IsCA:
		return fmt.Errorf("certificate %s is that of an authority; a peer needs one that was signed by it, with the name %s: "+
			"muster tls cert create -peer -group %s", c.Files.Cert, want, c.Group)
	case slices.Contains(h.leaf.DNSNames, ClientName(c.Group)):
		return fmt.Errorf("certificate %s is a client's (%s), and a peer needs the name %s: muster tls cert create -peer -group %s",
			c.Files.Cert, ClientName(c.Group), want, c.Group)
	}
	return fmt.Errorf("certificate %s has the names %s, and a peer of group %q needs the name %s: "+
		"muster tls cert create -peer -group %s", c.Files.Cert, namesOf(h.leaf), c.Group, want, c.Group)
}

func (c *Config) checkUses(h *held, _ time.Time) error {
	for _, use := range uses {
		if !allows(h.leaf, use.of) {
			return fmt.Errorf("certificate %s lacks the extended key usage %s: a peer both calls and is called, and needs "+
				"serverAuth and clientAuth", c.Files.Cert, use.name)
		}
	}
	return nil
}

// uses are what a peer's certificate is good for.
var uses = []struct {
	of   x509.ExtKeyUsage
	name string
}{{x509.ExtKeyUsageServerAuth, "serverAuth"}, {x509.ExtKeyUsageClientAuth, "clientAuth"}}

func allows(c *x509.Certificate, use x509.ExtKeyUsage) bool {
	return slices.Contains(c.ExtKeyUsage, use) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
}

func (c *Config) checkChain(h *held, now time.Time) error {
	between := x509.NewCertPool()
	for _, der := range h.own.Certificate[1:] {
		if link, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(link)
		}
	}
	for _, use := range uses { // each by itself: of several in one question one would be enough
		_, err := h.leaf.Verify(x509.VerifyOptions{
			Roots: h.pool, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{use.of},
		})
		if err != nil {
			return c.unverified(h, err, use.name)
		}
	}
	return nil
}

// unverified says why no authority vouches for a certificate, for a use.
func (c *Config) unverified(h *held, err error, use string) error {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.IncompatibleUsage {
		return fmt.Errorf("certificate %s was signed by an authority that may not sign for %s: a peer both calls and is called, and "+
			"needs serverAuth and clientAuth all the way up to CA file %s", c.Files.Cert, use, c.Files.CA)
	}
	if _, stranger := errors.AsType[x509.UnknownAuthorityError](err); stranger {
		return fmt.Errorf("certificate %s was signed by %s, which is not among the authorities of CA file %s (%s)",
			c.Files.Cert, cmp.Or(h.leaf.Issuer.CommonName, h.leaf.Issuer.String()), c.Files.CA, calledAll(h.roots))
	}
	return fmt.Errorf("certificate %s: %w", c.Files.Cert, err)
}

func byEnd(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }

func called(c *x509.Certificate) string {
	return fmt.Sprintf("%q", cmp.Or(c.Subject.CommonName, c.Subject.String()))
}

func calledAll(list []*x509.Certificate) string {
	var names []string
	for _, c := range list {
		names = append(names, called(c))
	}
	return strings.Join(names, ", ")
}

// namesOf is every name of a certificate, for messages.
func namesOf(c *x509.Certificate) string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return cmp.Or(strings.Join(names, ", "), "(none)")
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
