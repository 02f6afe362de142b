package agent

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/raft"

	"github.com/musterhq/muster/agent/cert"
	"github.com/musterhq/muster/agent/peerport"
)

// TLS is a peer's certificate and whom it trusts. The three files are given together or not at all.
type TLS struct {
	CAFile       string // PEM: the authorities whose certificates this peer trusts, one or more
	CertFile     string // PEM: this peer's certificate, and what leads from it to an authority
	KeyFile      string // PEM: its private key, which only its owner may read
	VerifyClient bool   // the API wants a certificate of every caller
}

func (t TLS) on() bool { return t.CAFile != "" && t.CertFile != "" && t.KeyFile != "" }

// validate says which of the three files is missing, and what makes them.
func (t TLS) validate() error {
	var given, missing []string
	for _, f := range [][2]string{{"-ca-file", t.CAFile}, {"-cert-file", t.CertFile}, {"-key-file", t.KeyFile}} {
		if f[1] == "" {
			missing = append(missing, f[0])
		} else {
			given = append(given, f[0])
		}
	}
	switch {
	case len(given) > 0 && len(missing) > 0:
		return fmt.Errorf("%s without %s: TLS needs all three. muster tls ca create and muster tls cert create -peer make them",
			strings.Join(given, " and "), strings.Join(missing, " and "))
	case len(given) == 0 && t.VerifyClient:
		return fmt.Errorf("-verify-client without %s: only with TLS does a caller show a certificate", strings.Join(missing, ", "))
	}
	return nil
}

// exposed says what keeps a peer with an address off loopback from starting: each protection that it lacks, and how to get it.
func (c *Config) exposed(flag, addr string) error {
	var lacks strings.Builder
	for _, p := range []struct {
		has          bool
		what, remedy string
	}{
		{c.TLS.on(), "TLS", "-ca-file, -cert-file and -key-file; muster tls ca create and muster tls cert create -peer make them"},
		{c.GossipKeyFile != "" || c.holdsKeyring(), "a gossip key", "-gossip-key-file; muster keygen makes one"},
		{c.ACL, "ACLs", "-acl; muster acl bootstrap then makes the first token"},
	} {
		if !p.has {
			fmt.Fprintf(&lacks, "\n  %s: %s", p.what, p.remedy)
		}
	}
	if lacks.Len() == 0 {
		return nil
	}
	return fmt.Errorf("%s %s is not on loopback, where whoever reaches this peer may do anything. It lacks%s\n"+
		"Give it that, or bind to 127.0.0.1, or say -insecure if the network is yours alone", flag, addr, lacks.String())
}

// openCertificates reads this peer's certificate, where it has one.
func (a *Agent) openCertificates(context.Context) (err error) {
	if a.cfg.TLS.on() {
		a.certs, err = cert.Open(a.cfg.certificates())
	}
	return err
}

func (c *Config) certificates() cert.Config {
	return cert.Config{
		Files: cert.Files{CA: c.TLS.CAFile, Cert: c.TLS.CertFile, Key: c.TLS.KeyFile}, Group: c.Group,
		Now: c.Seams.Now, Log: c.Log, Registerer: c.Registerer,
	}
}

// watchCertificates looks whether the files have changed, until ctx ends.
func (a *Agent) watchCertificates(ctx context.Context) error {
	if a.certs == nil {
		return nil
	}
	return a.certs.Run(ctx)
}

// prepareCertificates reads the files at once, for take to put them in force. What cannot be used is the error.
func (a *Agent) prepareCertificates() (take func(), err error) {
	if a.certs == nil {
		return func() {}, nil
	}
	return a.certs.Prepare()
}

// peerTLS is how the peer port is secured; nil for plain TCP.
func (a *Agent) peerTLS() peerport.TLS {
	if a.certs == nil {
		return nil
	}
	return a.certs
}

// apiTLS is how the API is secured; nil for plain HTTP.
func (a *Agent) apiTLS() *tls.Config {
	if a.certs == nil {
		return nil
	}
	return a.certs.APIServer(a.cfg.TLS.VerifyClient)
}

// openPaths are those of peer-HTTP for those that are not in the group: to found it, to be taken in, and to learn that the group
// has gone on without them.
var openPaths = []string{pathPromise, callJoin.path, callRaft.path}

// member says whether a peer may use the peer port: it is in the raft configuration as this peer has it. A peer that has none
// yet is only being taken in, by whom it cannot know. One that knows no leader may have been away while the whole group was
// replaced: it must listen to those who call it, or it would be away for ever; that they are in gossip is then the best there is.
func (a *Agent) member(id string) bool {
	servers, err := a.configuration()
	if err != nil {
		return false
	}
	known := slices.ContainsFunc(servers, func(s raft.Server) bool { return string(s.ID) == id })
	if known || id == a.id || len(servers) == 0 {
		return true
	}
	if a.leaders.ID() != "" {
		return false
	}
	_, met := a.gossip.PeerAddr(id)
	return met
}
