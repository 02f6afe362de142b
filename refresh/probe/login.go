package probe

import (
	"crypto/tls"
	"crypto/x509"
	"maps"
	"strings"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// Login is who a prober says it is. What of it goes over the wire, and how well hidden, is each kind's to document.
type Login struct {
	Username string
	Password refresh.Secret
}

// Fields are the keys of a login: username, password_file and password_env.
func (l *Login) Fields() Fields {
	return Fields{"username": &l.Username, "password_file": &l.Password.File, "password_env": &l.Password.Variable}
}

// Check refuses a password that is named twice or cannot be read here at all.
func (l *Login) Check(env refresh.Env) error { return CheckSecret("password", l.Password, env) }

// CheckWhole is Check for stores that know no user without a password, nor a password without a user.
func (l *Login) CheckWhole(env refresh.Env) error {
	if err := l.Check(env); err != nil {
		return err
	}
	if (l.Username == "") != (l.Password == refresh.Secret{}) {
		return fsm.Invalid("refresh.config.username", "and a password go together")
	}
	return nil
}

// Reveal reads the password, empty when none is named; a failure is an authentication fault. Kinds call it for each
// connection, so that the password may be rotated.
func (l *Login) Reveal(env refresh.Env) (string, error) {
	return reveal("the password", l.Password, env)
}

// TLS is how a prober secures its connections. The files lie where secrets do; one that is not named is the system's trust
// for the authorities, and no certificate of the prober's own.
type TLS struct {
	On               bool
	Authorities      string // PEM file
	Certificate, Key string // PEM files, both or neither
	ServerName       string // default the target's address
}

// Fields are the keys of TLS: tls, tls_ca_file, tls_cert_file, tls_key_file and tls_server_name.
func (s *TLS) Fields() Fields {
	return Fields{
		"tls": &s.On, "tls_ca_file": &s.Authorities, "tls_cert_file": &s.Certificate, "tls_key_file": &s.Key,
		"tls_server_name": &s.ServerName,
	}
}

// Check refuses what contradicts itself.
func (s *TLS) Check(env refresh.Env) error {
	for _, f := range []struct{ key, value string }{
		{"tls_ca_file", s.Authorities},
		{"tls_cert_file", s.Certificate},
		{"tls_key_file", s.Key},
		{"tls_server_name", s.ServerName},
	} {
		switch {
		case f.value == "":
		case !s.On:
			return fsm.Invalid("refresh.config."+f.key, "is set without \"tls\": true")
		case env.Reveal == nil && f.key != "tls_server_name":
			return fsm.Invalid("refresh.config."+f.key, "cannot be read: secrets are not enabled here")
		}
	}
	switch {
	case s.Certificate != "" && s.Key == "":
		return fsm.Invalid("refresh.config.tls_key_file", "is missing beside tls_cert_file")
	case s.Certificate == "" && s.Key != "":
		return fsm.Invalid("refresh.config.tls_cert_file", "is missing beside tls_key_file")
	}
	return nil
}

// Config is the configuration for one connection to host, nil when TLS is off. The files are read anew each time, so that
// certificates may be replaced; what is wrong with them is a tls fault that shows nothing of them.
func (s *TLS) Config(env refresh.Env, host string) (*tls.Config, error) {
	if !s.On {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if s.ServerName != "" {
		config.ServerName = s.ServerName
	}
	if s.Authorities != "" {
		text, err := env.Reveal(refresh.Secret{File: s.Authorities})
		if err != nil {
			return nil, refresh.NewFault(fsm.ReasonTLS, "read tls_ca_file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(text)) {
			return nil, refresh.NewFault(fsm.ReasonTLS, "tls_ca_file holds no certificate in PEM")
		}
	}
	if s.Certificate == "" {
		return config, nil
	}
	certificate, err := env.Reveal(refresh.Secret{File: s.Certificate})
	if err != nil {
		return nil, refresh.NewFault(fsm.ReasonTLS, "read tls_cert_file: %w", err)
	}
	key, err := env.Reveal(refresh.Secret{File: s.Key})
	if err != nil {
		return nil, refresh.NewFault(fsm.ReasonTLS, "read tls_key_file: %w", err)
	}
	pair, err := tls.X509KeyPair([]byte(certificate), []byte(key))
	if err != nil {
		return nil, refresh.NewFault(fsm.ReasonTLS, "tls_cert_file and tls_key_file are no pair in PEM")
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// Hide takes a secret out of what a server said: some repeat what they were sent and did not understand.
func Hide(said, secret string) string {
	if secret == "" {
		return said
	}
	return strings.ReplaceAll(said, secret, "…")
}

// Join is the keys of several parts of a config together.
func Join(parts ...Fields) Fields {
	all := Fields{}
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}

func reveal(what string, s refresh.Secret, env refresh.Env) (string, error) {
	if s == (refresh.Secret{}) {
		return "", nil
	}
	text, err := env.Reveal(s)
	if err != nil {
		return "", refresh.NewFault(fsm.ReasonAuth, "read %s: %w", what, err)
	}
	return text, nil
}
