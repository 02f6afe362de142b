package consul

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
)

// Connection says which Consul is asked, and as whom. What is empty is as the CONSUL_HTTP_* variables of the peer say.
// Discoveries that agree in it share a source.
type Connection struct {
	Address    string // host:port, http://, https:// or unix://
	Datacenter string
	Namespace  string
	Partition  string
	TokenFile  string
	CAFile     string
	CertFile   string
	KeyFile    string
	ServerName string // in Consul's certificate
}

type settings struct {
	Address       string            `json:"address"`
	Datacenter    string            `json:"datacenter"`
	Namespace     string            `json:"namespace"`
	Partition     string            `json:"partition"`
	Services      []string          `json:"services"`
	Tags          []string          `json:"tags"`
	Meta          map[string]string `json:"meta"`
	TokenFile     string            `json:"token_file"`
	CAFile        string            `json:"ca_file"`
	CertFile      string            `json:"cert_file"`
	KeyFile       string            `json:"key_file"`
	ServerName    string            `json:"tls_server_name"`
	Stale         bool              `json:"stale"`
	Concurrency   int               `json:"concurrency"`
	WatchServices int               `json:"watch_services"`
}

const (
	maxConcurrency = 64
	maxWatched     = 128 // services watched for one source
)

func parse(config fsm.JSON) (settings, error) {
	s := settings{Services: []string{"*"}, Stale: true, Concurrency: 16, WatchServices: 64}
	if err := discovery.DecodeConfig(config, &s); err != nil {
		return s, err
	}
	if err := CheckAddress(s.Address); err != nil {
		return s, fsm.Invalid("config.address", "%s", err)
	}
	for _, f := range []struct{ key, path string }{
		{"token_file", s.TokenFile}, {"ca_file", s.CAFile}, {"cert_file", s.CertFile}, {"key_file", s.KeyFile},
	} {
		if f.path != "" && !filepath.IsAbs(f.path) {
			return s, fsm.Invalid("config."+f.key, "is not absolute, and peers have working directories of their own")
		}
	}
	if (s.CertFile == "") != (s.KeyFile == "") {
		return s, fsm.Invalid("config.cert_file", "cert_file and key_file go together")
	}
	err := s.checkSelection()
	return s, err
}

func (s *settings) checkSelection() error {
	if len(s.Services) == 0 {
		return fsm.Invalid("config.services", "is empty and would select nothing; [\"*\"] selects all services")
	}
	for i, name := range s.Services {
		if name == "" {
			return fsm.Invalid(fmt.Sprintf("config.services.%d", i), "is empty; a name or a pattern like web-* is wanted")
		}
	}
	if s.Concurrency < 1 || s.Concurrency > maxConcurrency {
		return fsm.Invalid("config.concurrency", "%d is not between 1 and %d", s.Concurrency, maxConcurrency)
	}
	if s.WatchServices < 0 || s.WatchServices > maxWatched {
		return fsm.Invalid("config.watch_services", "%d is not between 0 and %d", s.WatchServices, maxWatched)
	}
	return nil
}

// CheckAddress judges an address without repeating it, since it may hold a password.
func CheckAddress(address string) error {
	if strings.Contains(address, "@") {
		return errors.New("holds credentials; put a token in a file and name that with token_file")
	}
	scheme, rest, found := strings.Cut(address, "://")
	if !found {
		scheme, rest = "http", address
	}
	switch {
	case address == "":
		return nil
	case scheme == "unix":
		if !filepath.IsAbs(rest) {
			return errors.New("a unix address needs an absolute path, like unix:///run/consul.sock")
		}
		return nil
	case scheme != "http" && scheme != "https":
		return fmt.Errorf("begins with %s://; http://, https:// and unix:// are known", scheme)
	}
	u, err := url.Parse(scheme + "://" + rest)
	if err != nil || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("is not host:port, like 127.0.0.1:8500")
	}
	if _, _, err := net.SplitHostPort(u.Host); err != nil && !found {
		return errors.New("is not host:port, like 127.0.0.1:8500")
	}
	return nil
}

func (s *settings) connection() Connection {
	return Connection{
		Address: s.Address, Datacenter: s.Datacenter, Namespace: s.Namespace, Partition: s.Partition,
		TokenFile: s.TokenFile, CAFile: s.CAFile, CertFile: s.CertFile, KeyFile: s.KeyFile, ServerName: s.ServerName,
	}
}
