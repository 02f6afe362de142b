package rig

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// Consul starts a Consul agent in development mode and returns the address of its API once it has a leader.
func (r *Rig) Consul(ctx context.Context) (*Process, string, error) {
	bin, err := Tool(ctx, "consul")
	if err != nil {
		return nil, "", err
	}
	conf := map[string]any{"bind_addr": "127.0.0.1", "client_addr": "127.0.0.1", "disable_update_check": true}
	numbers := map[string]int{"dns": -1, "grpc": -1, "https": -1}
	for _, name := range []string{"http", "serf_lan", "serf_wan", "server"} {
		if numbers[name], err = Port(); err != nil {
			return nil, "", err
		}
	}
	conf["ports"] = numbers
	raw, err := json.Marshal(conf)
	if err != nil {
		return nil, "", err
	}
	path := filepath.Join(r.Dir, "consul.json")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return nil, "", err
	}
	p, err := r.Start("consul", bin, "agent", "-dev", "-config-file", path)
	if err != nil {
		return nil, "", err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(numbers["http"]))
	return p, addr, ConsulLeads(ctx, addr)
}

// ConsulLeads waits until the Consul at addr has a leader.
func ConsulLeads(ctx context.Context, addr string) error {
	return Until(ctx, "Consul to have a leader", func(ctx context.Context) error {
		body, err := get(ctx, "http://"+addr+"/v1/status/leader")
		if err == nil && len(body) < 5 {
			err = fmt.Errorf("leader is %s", body)
		}
		return err
	})
}

// Redis starts a Redis server without persistence and returns its address once it listens.
func (r *Rig) Redis(ctx context.Context, name string, flags ...string) (*Process, string, error) {
	bin, err := Tool(ctx, "redis")
	if err != nil {
		return nil, "", err
	}
	port, err := Port()
	if err != nil {
		return nil, "", err
	}
	args := append([]string{
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", r.Dir,
	}, flags...)
	p, err := r.Start(name, bin, args...)
	if err != nil {
		return nil, "", err
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	return p, addr, Listens(ctx, addr)
}

// Listens waits until something takes connections at addr.
func Listens(ctx context.Context, addr string) error {
	return Until(ctx, addr+" to take connections", func(ctx context.Context) error {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, res.Status)
	}
	return io.ReadAll(io.LimitReader(res.Body, 64<<10))
}
