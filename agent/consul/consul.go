package consul

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/musterhq/muster/discovery"
	source "github.com/musterhq/muster/discovery/consul"
)

// rights are what a token needs, where SERVICE is what targets name.
const rights = `service "SERVICE" {policy = "read"} node_prefix "" {policy = "read"}`

// Config says which Consul a peer asks, and as whom. What is empty is as the CONSUL_HTTP_* variables say.
type Config struct {
	Address    string // host:port, http://, https:// or unix://
	TokenFile  string // read again when the token is refused
	CAFile     string
	CertFile   string
	KeyFile    string
	ServerName string // in Consul's certificate

	Register bool          // be registered there as an instance of a service
	Service  string        // of which; "" is DefaultService
	Tags     []string      // beside those of the peer's role
	TTL      time.Duration // after which a peer that is silent is critical; 0 is DefaultTTL
}

// What a peer is registered as, where nothing else is said.
const (
	DefaultService = "muster"
	DefaultTTL     = 15 * time.Second
)

// MinTTL is the shortest life of a word that a peer is ready: it is said three times as often, and looked at each second.
const MinTTL = 3 * time.Second

// Validate says what is wrong with a configuration by the names of its options. It reads no file.
func (c Config) Validate() error {
	if err := source.CheckAddress(c.Address); err != nil {
		return fmt.Errorf("-consul-addr %w", err)
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		return errors.New("-consul-cert-file and -consul-key-file go together")
	}
	c = c.withDefaults()
	if err := CheckService(c.Service); err != nil {
		return fmt.Errorf("-consul-service %w", err)
	}
	if c.TTL < MinTTL {
		return fmt.Errorf("-consul-check-ttl %s is shorter than %s", c.TTL, MinTTL)
	}
	for _, tag := range c.Tags {
		if err := CheckTag(tag); err != nil {
			return fmt.Errorf("-consul-tag %w", err)
		}
	}
	if !c.Register && (c.Service != DefaultService || c.TTL != DefaultTTL || len(c.Tags) > 0) {
		return errors.New("-consul-service, -consul-tag and -consul-check-ttl say how a peer is registered: say -consul-register as well")
	}
	return nil
}

// InTheClear says whether the token goes over a network where others may read it. What the CONSUL_HTTP_* variables say it does not
// know.
func (c Config) InTheClear() bool {
	scheme, rest, found := strings.Cut(c.Address, "://")
	if !found {
		scheme, rest = "http", c.Address
	}
	if c.TokenFile == "" || c.Address == "" || scheme != "http" {
		return false
	}
	u, err := url.Parse("http://" + rest)
	if err != nil || strings.EqualFold(u.Hostname(), "localhost") {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err != nil || !ip.IsLoopback()
}

// CheckService says what is wrong with the name of a service: Consul's DNS is to find it.
func CheckService(name string) error {
	odd := func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}
	if name == "" || len(name) > 63 || strings.ContainsFunc(name, odd) || strings.Trim(name, "-") != name {
		return fmt.Errorf("%q is no name of DNS: up to 63 letters, digits and dashes, like muster", name)
	}
	return nil
}

// CheckTag says what is wrong with a tag that is added to those of the role.
func CheckTag(tag string) error {
	switch {
	case tag == "" || len(tag) > 255:
		return fmt.Errorf("%q is not 1 to 255 bytes long", tag)
	case isRole(tag):
		return fmt.Errorf("%q is a role, which a peer is tagged with while it has it", tag)
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.Service == "" {
		c.Service = DefaultService
	}
	if c.TTL == 0 {
		c.TTL = DefaultTTL
	}
	return c
}

// caller asks Consul as a configuration says, with a token that needs rights.
func (c Config) caller(env discovery.Env, rights string) *source.Caller {
	return source.NewCaller(source.Connection{
		Address: c.Address, TokenFile: c.TokenFile, CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile,
		ServerName: c.ServerName,
	}, env, rights)
}

// Client asks Consul for a peer. It is safe for concurrent use.
type Client struct {
	caller *source.Caller
}

// New makes a client, which touches neither disk nor network yet.
func New(c Config, env discovery.Env) (*Client, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Client{c.caller(env, rights)}, nil
}

// Close ends the connections.
func (c *Client) Close() { c.caller.Close() }
