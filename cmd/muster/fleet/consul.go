package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	inFlight       = 16 // requests to Consul at a time
	requestTimeout = 10 * time.Second
	progressEvery  = 5 * time.Second
)

// consul lists nodes as services of the local agent: the service is the cluster, its id the node's.
type consul struct {
	url    string
	token  string
	log    *slog.Logger
	client *http.Client

	mu         sync.Mutex
	registered map[string]bool // ids that Consul may have
}

func newConsul(address, token string, log *slog.Logger) (*consul, error) {
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("fleet: consul address %q; host:port or an http URL is wanted", address)
	}
	return &consul{
		url: strings.TrimSuffix(address, "/"), token: token, log: log, registered: map[string]bool{},
		client: &http.Client{
			Timeout:   requestTimeout,
			Transport: &http.Transport{MaxConnsPerHost: inFlight, MaxIdleConnsPerHost: inFlight, IdleConnTimeout: time.Minute},
		},
	}, nil
}

func (c *consul) publish(ctx context.Context, r *roster) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(inFlight)
	p := progress{log: c.log, of: r.Clusters * r.Nodes, last: time.Now()}
	for nodes := range r.clusters() {
		if gctx.Err() != nil {
			break
		}
		for _, n := range nodes {
			p.step("registering in consul")
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

// withdraw deregisters all, as far as ctx leaves time.
func (c *consul) withdraw(ctx context.Context) error {
	defer c.client.CloseIdleConnections()
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(inFlight)
	ids := c.ids()
	p := progress{log: c.log, of: len(ids), last: time.Now()}
	for _, id := range ids {
		if gctx.Err() != nil {
			break
		}
		p.step("deregistering from consul")
		g.Go(func() error { return c.deregister(gctx, id) })
	}
	err := g.Wait()
	if left := len(c.ids()); left > 0 {
		return fmt.Errorf("%d services are left in consul: %w", left, err)
	}
	return err
}

func (c *consul) ids() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := make([]string, 0, len(c.registered))
	for id := range c.registered {
		ids = append(ids, id)
	}
	return ids
}

func (c *consul) register(ctx context.Context, n listing) error {
	body, err := json.Marshal(struct {
		ID      string
		Name    string
		Tags    []string
		Address string
		Port    int
		Meta    map[string]string
	}{
		n.id, n.cluster,
		[]string{"muster"},
		n.address, n.port,
		map[string]string{"muster-cluster": n.cluster, "muster-node": n.id},
	})
	if err != nil {
		return fmt.Errorf("register %s in consul: %w", n.id, err)
	}
	c.mu.Lock()
	c.registered[n.id] = true
	c.mu.Unlock()
	if err := c.put(ctx, "/v1/agent/service/register", body); err != nil {
		return fmt.Errorf("register %s in consul: %w", n.id, err)
	}
	return nil
}

func (c *consul) deregister(ctx context.Context, id string) error {
	if err := c.put(ctx, "/v1/agent/service/deregister/"+url.PathEscape(id), nil); err != nil {
		return fmt.Errorf("deregister %s from consul: %w", id, err)
	}
	c.mu.Lock()
	delete(c.registered, id)
	c.mu.Unlock()
	return nil
}

func (c *consul) put(ctx context.Context, path string, body []byte) error {
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
	case response.StatusCode == http.StatusNotFound && body == nil: // deregistered already
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

func (p *progress) step(work string) {
	if time.Since(p.last) >= progressEvery {
		p.last = time.Now()
		p.log.Info("consul is being told", "work", work, "done", p.done, "of", p.of)
	}
	p.done++
}
