package cert

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"

	"github.com/musterhq/muster/agent/namedfile"
)

// maxFile bounds a file of certificates, in bytes.
const maxFile = 1 << 20

// Files are a peer's certificate and whom it trusts, in PEM.
type Files struct {
	CA   string // the authorities whose certificates are trusted, one or more
	Cert string // the certificate, then those that lead from it to an authority
	Key  string // its private key
}

// raw is what the files hold, byte by byte.
type raw struct{ ca, cert, key []byte }

func (r raw) equal(o raw) bool {
	return bytes.Equal(r.ca, o.ca) && bytes.Equal(r.cert, o.cert) && bytes.Equal(r.key, o.key)
}

func (f Files) read() (r raw, err error) {
	for _, file := range []struct {
		into               *[]byte
		option, what, path string
		mode               func(string, fs.FileMode) error
	}{
		{&r.ca, caOption, "CA file", f.CA, nil},
		{&r.cert, certOption, "certificate", f.Cert, nil},
		{&r.key, keyOption, "key", f.Key, checkMode},
	} {
		if *file.into, err = readFile(file.what, file.path, file.mode); err != nil {
			return raw{}, of(file.option, err)
		}
	}
	return r, nil
}

func readFile(what, path string, mode func(string, fs.FileMode) error) ([]byte, error) {
	b, err := namedfile.Read(path, namedfile.Rules{Most: maxFile, Mode: mode})
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", what, err)
	case len(bytes.TrimSpace(b)) == 0:
		return nil, fmt.Errorf("%s %s is empty", what, path)
	}
	return b, nil
}

// checkMode refuses a key that others may read, or that its group may change.
func checkMode(path string, mode fs.FileMode) error {
	if mode&0o037 != 0 {
		return fmt.Errorf("%s is open to others (mode %04o), who could pass for whom it belongs to: chmod 600 %s", path, mode, path)
	}
	return nil
}

// LoadAuthorities reads a file of authorities in PEM, for whoever asks a peer.
func LoadAuthorities(path string) (*x509.CertPool, error) {
	b, err := readFile("CA file", path, nil)
	if err != nil {
		return nil, err
	}
	list, err := parse("CA file", path, b)
	if err != nil {
		return nil, err
	}
	return poolOf(list), nil
}

// LoadPair reads a certificate and its key in PEM, for whoever asks a peer that wants one.
func LoadPair(certFile, keyFile string) (tls.Certificate, error) {
	c, err := readFile("certificate", certFile, nil)
	if err != nil {
		return tls.Certificate{}, err
	}
	k, err := readFile("key", keyFile, checkMode)
	if err != nil {
		return tls.Certificate{}, err
	}
	if _, err := parse("certificate", certFile, c); err != nil {
		return tls.Certificate{}, err
	}
	return pair(Files{Cert: certFile, Key: keyFile}, raw{cert: c, key: k})
}

// pair makes a certificate of a file and its key.
func pair(f Files, r raw) (tls.Certificate, error) {
	if block, _ := pem.Decode(r.key); block == nil {
		return tls.Certificate{}, fmt.Errorf("key %s holds no PEM block: a private key begins with -----BEGIN", f.Key)
	}
	p, err := tls.X509KeyPair(r.cert, r.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("key %s is not the key of certificate %s: %w", f.Key, f.Cert, err)
	}
	return p, nil
}

// parse reads all certificates of a PEM file; there must be one.
func parse(what, path string, b []byte) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	for rest := b; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", what, path, err)
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s %s: %w", what, path, errNoPEM)
	}
	return list, nil
}

var errNoPEM = errors.New("no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----")

func poolOf(list []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range list {
		pool.AddCert(c)
	}
	return pool
}
