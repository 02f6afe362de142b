package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"

	"golang.org/x/sync/errgroup"
)

// catalog is a Consul's, written to as for services outside it.
type catalog struct{ addr string }

// service is an instance in the catalog.
type service struct {
	ID      string
	Service string
	Tags    []string
	Address string
	Port    int
	Meta    map[string]string
}

// operation is one of a transaction.
type operation struct {
	Node    *setNode    `json:",omitempty"`
	Service *setService `json:",omitempty"`
}

type setNode struct {
	Verb string
	Node struct{ Node, Address string }
}

type setService struct {
	Verb, Node string
	Service    service
}

const operations = 64 // of a transaction, as many as Consul allows

// host is the Consul node that the nth instances of all clusters are on.
func host(n int) string { return fmt.Sprintf("host-%03d", n) }

// fill registers the nodes of a fleet: each cluster is a service.
func (c catalog) fill(ctx context.Context, file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var clusters []struct {
		Cluster string `json:"cluster"`
		Nodes   []struct {
			ID      string `json:"id"`
			Address string `json:"address"`
			Port    int    `json:"port"`
		} `json:"nodes"`
	}
	if err := json.Unmarshal(raw, &clusters); err != nil {
		return err
	}
	var all []operation
	for n := range len(clusters[0].Nodes) {
		op := &setNode{Verb: "set"}
		op.Node.Node, op.Node.Address = host(n), "127.0.0.1"
		all = append(all, operation{Node: op})
	}
	if err := c.commit(ctx, all); err != nil {
		return err
	}
	all = nil
	for _, cluster := range clusters {
		for i, n := range cluster.Nodes {
			all = append(all, operation{Service: &setService{Verb: "set", Node: host(i), Service: service{
				n.ID, cluster.Cluster, []string{"muster"}, n.Address, n.Port, map[string]string{"zone": fmt.Sprint("z", i%3)},
			}}})
		}
	}
	return c.commit(ctx, all)
}

// commit sends operations in transactions, some at a time.
func (c catalog) commit(ctx context.Context, all []operation) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for some := range slices.Chunk(all, operations) {
		g.Go(func() error { return c.put(ctx, "/v1/txn", some) })
	}
	return g.Wait()
}

// moved is the instance that the nth change is of: the first one of the nth service.
func moved(n int) string { return fmt.Sprintf("fleet-%05d-0", n) }

// move gives an instance another port.
func (c catalog) move(ctx context.Context, n int) error {
	return c.commit(ctx, []operation{{Service: &setService{Verb: "set", Node: host(0), Service: service{
		moved(n), fmt.Sprintf("fleet-%05d", n), []string{"muster"}, "127.0.0.1", 1 + n, map[string]string{"zone": "z0"},
	}}}})
}

func (c catalog) put(ctx context.Context, path string, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+c.addr+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	said, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.200s", path, res.Status, said)
	}
	return err
}
