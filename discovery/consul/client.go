package consul

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/musterhq/muster/discovery"
)

const (
	maxBody        = 64 << 20 // bytes of one answer
	connectTimeout = 3 * time.Second
	callTimeout    = 15 * time.Second // a call that does not block at the server
)

// clients are the ways to one Consul: reads do not wait behind blocking queries for a connection.
type clients struct {
	reads   *api.Client
	watches *api.Client
	close   []func()
	token   func() (string, error)
	name    string // the address, for people
}

// dial makes the clients of a connection. It reads the peer's CONSUL_HTTP_* variables, through consul/api, and the files
// of its TLS settings.
func dial(c Connection, env discovery.Env) (*clients, error) {
	config := api.DefaultConfig()
	if c.Address != "" {
		config.Address = c.Address
	}
	if strings.Contains(config.Address, "@") {
		return nil, errors.New("CONSUL_HTTP_ADDR holds credentials; they belong in CONSUL_HTTP_AUTH")
	}
	out := &clients{name: config.Address, token: tokenFrom(c, config)}
	set := func(dst *string, v string) {
		if v != "" {
			*dst = v
		}
	}
	set(&config.Datacenter, c.Datacenter)
	set(&config.Namespace, c.Namespace)
	set(&config.Partition, c.Partition)
	set(&config.TLSConfig.CAFile, c.CAFile)
	set(&config.TLSConfig.CertFile, c.CertFile)
	set(&config.TLSConfig.KeyFile, c.KeyFile)
	set(&config.TLSConfig.Address, c.ServerName)
	var err error
	if out.reads, err = out.client(config, env, maxConcurrency); err != nil {
		return nil, err
	}
	out.watches, err = out.client(config, env, maxWatched+1)
	return out, err
}

// client makes one client with a transport of its own, of at most conns connections.
func (c *clients) client(shared *api.Config, env discovery.Env, conns int) (*api.Client, error) {
	config := *shared
	tlsConfig, err := api.SetupTLSConfig(&config.TLSConfig)
	if err != nil {
		return nil, fmt.Errorf("tls settings: %w", err)
	}
	connect := env.Dial
	if connect == nil {
		connect = (&net.Dialer{Timeout: connectTimeout}).DialContext
	}
	network := func(ctx context.Context, network, address string) (net.Conn, error) {
		return connect(ctx, network, address)
	}
	proxy := http.ProxyFromEnvironment
	if path, unix := strings.CutPrefix(config.Address, "unix://"); unix {
		// consul/api would make an unbounded client of its own for this scheme.
		config.Address, proxy = path, nil
		network = func(ctx context.Context, _, _ string) (net.Conn, error) { return connect(ctx, "unix", path) }
	}
	transport := &http.Transport{
		Proxy: proxy, DialContext: network, TLSClientConfig: tlsConfig, TLSHandshakeTimeout: connectTimeout,
		MaxConnsPerHost: conns, MaxIdleConnsPerHost: conns, IdleConnTimeout: 90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
	c.close = append(c.close, transport.CloseIdleConnections)
	config.HttpClient = &http.Client{
		Transport:     bounded{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // the token stays here
	}
	return api.NewClient(&config)
}

// bounded cuts answers off, with an error, at maxBody.
type bounded struct {
	next http.RoundTripper
}

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err == nil {
		resp.Body = &boundedBody{body: resp.Body, left: maxBody}
	}
	return resp, err
}

type boundedBody struct {
	body io.ReadCloser
	left int64
}

var errTooLarge = fmt.Errorf("the answer is larger than %d MiB", maxBody>>20)

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.body.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

func (b *boundedBody) Close() error { return b.body.Close() }
