package fleet

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	inFlight       = 16 // requests to Consul at a time
	requestTimeout = 10 * time.Second
	progressEvery  = 5 * time.Second
)

// consul lists nodes as services in the catalog, of a Consul node that is called as the fleet is: the service is the
// cluster, its id the node's. See the package comment.
type consul struct {
	url    string
	token  string
	node   string
	log    *slog.Logger
	client *http.Client

	begun bool // something may have been registered
}

func newConsul(config *Config) (*consul, error) {
	address := config.ConsulAddr
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("fleet: consul address %q; host:port or an http URL is wanted", address)
	}
	return &consul{
		url: strings.TrimSuffix(address, "/"), token: config.ConsulToken, node: config.Prefix, log: config.Logger,
		client: &http.Client{
			Timeout:   requestTimeout,
			Transport: &http.Transport{MaxConnsPerHost: inFlight, MaxIdleConnsPerHost: inFlight, IdleConnTimeout: time.Minute},
		},
	}, nil
}

// publish begins with what an earlier fleet of this name could not take back.
func (c *consul) publish(ctx context.Context, r *roster) error {
	c.begun = true
	if err := c.deregister(ctx, ""); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(inFlight)
	p := progress{log: c.log, of: r.Clusters * r.Nodes, last: time.Now()}
	for nodes := range r.clusters() {
		if gctx.Err() != nil {
			break
		}
		for _, n := range nodes {
			p.step()
			g.Go(func() error { return c.register(gctx, n) })
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

func (c *consul) change(ctx context.Context, _ *roster, moved []listing) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(inFlight)
	for _, n := range moved {
		g.Go(func() error {
			if n.listed {
				return c.register(ctx, n)
			}
			return c.deregister(ctx, n.id)
		})
	}
	return g.Wait()
}

// withdraw takes all back in one step.
func (c *consul) withdraw(ctx context.Context) error {
	defer c.client.CloseIdleConnections()
	if !c.begun {
		return nil
	}
	return c.deregister(ctx, "")
}

func (c *consul) register(ctx context.Context, n listing) error {
	type service struct {
		ID      string
		Service string
		Tags    []string
		Address string
		Port    int
		Meta    map[string]string
	}
	err := c.put(ctx, "/v1/catalog/register", struct {
		Node    string
		Address string
		Service service
	}{c.node, "127.0.0.1", service{
		n.id, n.cluster,
		[]string{"muster"},
		n.address, n.port,
		map[string]string{"muster-cluster": n.cluster, "muster-node": n.id},
	}})
	if err != nil {
		return fmt.Errorf("register %s in consul: %w", n.id, err)
	}
	return nil
}

// deregister takes one service back, or with no id the Consul node and all its services.
func (c *consul) deregister(ctx context.Context, id string) error {
	err := c.put(ctx, "/v1/catalog/deregister", struct {
		Node      string
		ServiceID string `json:",omitempty"`
	}{c.node, id})
	if err != nil {
		return fmt.Errorf("deregister %s from consul: %w", cmp.Or(id, c.node), err)
	}
	return nil
}

func (c *consul) put(ctx context.Context, path string, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, c.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if c.token != "" {
		request.Header.Set("X-Consul-Token", c.token)
	}
	response, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	switch {
	case err != nil:
		return err
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %s", response.Status, bytes.TrimSpace(said))
	}
	return nil
}

// progress tells people who wait how far a long piece of work has come.
type progress struct {
	log      *slog.Logger
	done, of int
	last     time.Time
}

func (p *progress) step() {
	if time.Since(p.last) >= progressEvery {
		p.last = time.Now()
		p.log.Info("registering in consul", "done", p.done, "of", p.of)
	}
	p.done++
}
