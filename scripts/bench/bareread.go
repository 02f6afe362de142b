package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// readers is how many requests a full run has in flight, as a discovery's concurrency is by default.
const readers = 16

// bareRead is what a bare reader of the whole catalog took.
type bareRead struct {
	Requests, Bytes int
	Seconds, CPU    float64
}

// bare reads the whole catalog without muster, as fast as Consul answers.
func (c *cataloged) bare(ctx context.Context) error {
	step("baseline: a bare reader")
	self, err := os.Executable()
	if err != nil {
		return err
	}
	before, err := look(c.consul.PID())
	if err != nil {
		return err
	}
	var text bytes.Buffer
	cmd := exec.CommandContext(ctx, self, "reader", c.catalog.addr, strconv.Itoa(readers))
	cmd.Stdout, cmd.Stderr = &text, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("baseline: %w", err)
	}
	after, err := look(c.consul.PID())
	if err != nil {
		return err
	}
	var r bareRead
	if err := json.Unmarshal(text.Bytes(), &r); err != nil {
		return err
	}
	column := "bare reader"
	if len(c.out.Figures) > 0 {
		column = "and again"
	}
	c.out.add(
		figure{Name: "time", Case: column, Value: r.Seconds, Unit: "s"},
		figure{Name: "requests", Case: column, Value: float64(r.Requests)},
		figure{Name: "most in flight", Case: column, Value: readers},
		figure{Name: "read from Consul", Case: column, Value: mib(float64(r.Bytes)), Unit: "MiB"},
		figure{Name: "CPU of Consul", Case: column, Value: after.cpu - before.cpu, Unit: "s"},
		figure{
			Name: "CPU of the readers", Case: column, Value: r.CPU, Unit: "s",
			Note: "of all peers together; the bare one only counts bytes",
		},
	)
	return nil
}

// readerChild reads a Consul's list and then each service, so many at a time and as fast as it answers, and only counts the
// bytes: args are its address and how many.
func readerChild(ctx context.Context, args []string, to io.Writer) error {
	if len(args) != 2 {
		return fmt.Errorf("reader: %d arguments", len(args))
	}
	addr := args[0]
	width, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	began := time.Now()
	raw, err := get(ctx, "http://"+addr+"/v1/catalog/services")
	if err != nil {
		return err
	}
	var list map[string][]string
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	out := bareRead{Requests: 1 + len(list), Bytes: len(raw)}
	bare := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: width}}
	var mu sync.Mutex
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(width)
	for name := range list {
		g.Go(func() error {
			from := "http://" + addr + "/v1/catalog/service/" + url.PathEscape(name) + "?stale"
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
			if err != nil {
				return err
			}
			res, err := bare.Do(req)
			if err != nil {
				return err
			}
			defer func() { _ = res.Body.Close() }()
			n, err := io.Copy(io.Discard, res.Body)
			mu.Lock()
			defer mu.Unlock()
			out.Bytes += int(n)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	self, err := look(os.Getpid())
	if err != nil {
		return err
	}
	out.Seconds, out.CPU = time.Since(began).Seconds(), self.cpu
	return json.NewEncoder(to).Encode(out)
}
