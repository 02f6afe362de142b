package cert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
)

// PeerServer is the configuration of a port for peers, which speaks the named protocols: each handshake gets what is in force
// then, and wants the certificate of a peer of this group.
func (c *Certificates) PeerServer(protocols ...string) *tls.Config {
	return each(func() *tls.Config {
		h := c.now()
		conf := c.base(protocols)
		conf.Certificates, conf.ClientCAs = []tls.Certificate{h.own}, h.pool
		conf.ClientAuth = tls.RequireAndVerifyClientCert
		conf.VerifyConnection = c.isPeer
		return conf
	})
}

// PeerClient is the configuration for one call to a peer of this group.
func (c *Certificates) PeerClient(protocol string) *tls.Config {
	h := c.now()
	conf := c.base([]string{protocol})
	conf.Certificates, conf.RootCAs = []tls.Certificate{h.own}, h.pool
	conf.ServerName = PeerName(c.cfg.Group)
	conf.VerifyConnection = c.isPeer
	return conf
}

// APIServer is the configuration of the API: each handshake gets what is in force then, and with verify wants a certificate
// of one of the authorities.
func (c *Certificates) APIServer(verify bool) *tls.Config {
	return each(func() *tls.Config {
		h := c.now()
		conf := c.base([]string{"http/1.1"})
		conf.Certificates, conf.ClientCAs = []tls.Certificate{h.own}, h.pool
		if verify {
			conf.ClientAuth = tls.RequireAndVerifyClientCert
		}
		return conf
	})
}

// each is a server's configuration that is made anew for every handshake.
func each(handshake func() *tls.Config) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return handshake(), nil },
	}
}

func (c *Certificates) base(protocols []string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Time: c.cfg.Now, NextProtos: protocols,
		SessionTicketsDisabled: true,
	}
}

// ErrNotPeer means that the other side's certificate is good, but not that of a peer of this group.
var ErrNotPeer = errors.New("not the certificate of a peer of this group")

// isPeer judges the other side once its certificate is known to be good for its part of the handshake.
func (c *Certificates) isPeer(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return fmt.Errorf("%w: there is none", ErrNotPeer)
	}
	leaf, want := s.PeerCertificates[0], PeerName(c.cfg.Group)
	if !slices.Contains(leaf.DNSNames, want) {
		return fmt.Errorf("%w: it has the names %s and not %s", ErrNotPeer, namesOf(leaf), want)
	}
	for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		if !allows(leaf, use) {
			return fmt.Errorf("%w: it lacks an extended key usage; a peer's has serverAuth and clientAuth", ErrNotPeer)
		}
	}
	return nil
}
