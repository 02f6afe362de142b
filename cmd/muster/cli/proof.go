package cli

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/pflag"

	"github.com/musterhq/muster/agent/cert"
)

// proof is whom a command trusts over TLS, and what it shows.
type proof struct{ caFile, cert, key, serverName string }

func (t *proof) flags(f *pflag.FlagSet) {
	f.StringVar(&t.caFile, "ca-file", "", "`FILE` of the authorities to trust, PEM (default $"+envCAFile+", else the system's)")
	f.StringVar(&t.cert, "client-cert", "", "`FILE` of a certificate to show, PEM (default $"+envClientCert+")")
	f.StringVar(&t.key, "client-key", "", "`FILE` of its private key, PEM (default $"+envClientKey+")")
	f.StringVar(&t.serverName, "tls-server-name", "", "`NAME` to expect in the peer's certificate (default $"+envServerName+
		", else the address)")
}

// config is nil when nothing was said of TLS.
func (t *proof) config(getenv func(string) string) (*tls.Config, error) {
	caFile, certFile := cmp.Or(t.caFile, getenv(envCAFile)), cmp.Or(t.cert, getenv(envClientCert))
	keyFile, name := cmp.Or(t.key, getenv(envClientKey)), cmp.Or(t.serverName, getenv(envServerName))
	if caFile+certFile+keyFile+name == "" {
		return nil, nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS13, ServerName: name}
	var err error
	if caFile != "" {
		if conf.RootCAs, err = cert.LoadAuthorities(caFile); err != nil {
			return nil, err
		}
	}
	switch {
	case certFile == "" && keyFile == "":
		return conf, nil
	case certFile == "":
		return nil, fmt.Errorf("-client-key without -client-cert: a certificate is shown with its key, or not at all")
	case keyFile == "":
		return nil, fmt.Errorf("-client-cert without -client-key: a certificate is shown with its key, or not at all")
	}
	own, err := cert.LoadPair(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	conf.Certificates = []tls.Certificate{own}
	return conf, nil
}

// untrusted says what to do about a fault of TLS; empty when it is none.
func (p *Program) untrusted(err error) string {
	_, host, _ := strings.Cut(p.dial.address, "://")
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.Is(err, http.ErrSchemeMismatch):
		return "The peer speaks plain HTTP: ask it at http://" + host + ", without the options of TLS."
	case errors.As(err, &unknown):
		return "-ca-file or " + envCAFile + " names the file of the authority that signed the peer's certificate."
	case errors.As(err, &name):
		return "-tls-server-name or " + envServerName + " says which name to expect; a peer's certificate always has peer.GROUP.muster. " +
			"Names and addresses are put into a certificate with -dns and -ip of muster tls cert create."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "The peer's certificate has ended: its operator makes a new one with muster tls cert create -peer."
	case strings.Contains(err.Error(), "tls: certificate required"): // crypto/tls has no type for what the other side says
		return "The peer wants a certificate: -client-cert and -client-key, which muster tls cert create -client makes."
	case strings.Contains(err.Error(), "remote error: tls: "):
		return "The peer does not take the certificate that was shown with -client-cert."
	}
	return ""
}
