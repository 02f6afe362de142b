package consul

import (
	"errors"
	"fmt"

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
}

// Validate says what is wrong with a configuration by the names of its options. It reads no file.
func (c Config) Validate() error {
	if err := source.CheckAddress(c.Address); err != nil {
		return fmt.Errorf("-consul-addr %w", err)
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		return errors.New("-consul-cert-file and -consul-key-file go together")
	}
	return nil
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
	connection := source.Connection{
		Address: c.Address, TokenFile: c.TokenFile, CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile,
		ServerName: c.ServerName,
	}
	return &Client{source.NewCaller(connection, env, rights)}, nil
}

// Close ends the connections.
func (c *Client) Close() { c.caller.Close() }
