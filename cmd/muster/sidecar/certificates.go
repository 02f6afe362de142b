package sidecar

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// certificates are what the sidecar shows, and whose clients' it takes, as the files have it.
type certificates struct {
	files [3]string // certificate, key, and authorities of clients, which may be empty
	log   *slog.Logger

	mu     sync.Mutex
	raw    [3][]byte
	config *tls.Config // made of raw
	told   string      // the last failure in the log
}

// options are the names of the files' options.
var options = [3]string{"-tls-cert-file", "-tls-key-file", "-tls-client-ca-file"}

// server is the configuration of a listener: each handshake gets what the files hold then.
func (c *certificates) server() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current(), nil },
	}
}

// current is what the files hold, or what they last held that was good.
func (c *certificates) current() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	config, err := c.read()
	switch {
	case err == nil && c.told != "":
		c.told = ""
		c.log.Info("the certificate is good again")
	case err != nil && c.told != err.Error():
		c.told = err.Error()
		c.log.Warn("the certificate cannot be used; the last good one stays in force", "error", err)
	}
	if err != nil {
		return c.config
	}
	return config
}

// load reads the files for the first time.
func (c *certificates) load() (*tls.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read()
}

func (c *certificates) read() (*tls.Config, error) {
	var raw [3][]byte
	same := c.config != nil
	for i, path := range c.files {
		if path == "" {
			continue
		}
		var err error
		if raw[i], err = readFile(path); err != nil {
			return nil, fmt.Errorf("%s: %w", options[i], err)
		}
		same = same && bytes.Equal(raw[i], c.raw[i])
	}
	if same {
		return c.config, nil
	}
	pair, err := tls.X509KeyPair(raw[0], raw[1])
	if err != nil {
		return nil, errors.New("-tls-cert-file and -tls-key-file are no pair in PEM")
	}
	config := &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"},
	}
	if c.files[2] != "" {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(raw[2]) {
			return nil, errors.New("-tls-client-ca-file holds no certificate in PEM")
		}
	}
	c.raw, c.config = raw, config
	return config, nil
}
