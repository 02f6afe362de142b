package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// cost is what one poll took of a baseline's process.
type cost struct {
	Pace   string  `json:"pace"`
	Polls  int     `json:"polls"`
	Micros float64 `json:"cpu_us_per_poll"`
	Errors int     `json:"errors"`
}

// beat is the rhythm in which the "beats" baseline asks together, as the peers do.
const beat = 250 * time.Millisecond

// baseline runs this program again as a bare client of the fleet, so that its CPU is its own.
func (b *bench) baseline(ctx context.Context, pace string) (cost, error) {
	self, err := os.Executable()
	if err != nil {
		return cost{}, err
	}
	var out, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, self, "baseline", pace, b.file, b.Interval.String(), b.Baseline.String())
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		return cost{}, fmt.Errorf("baseline %s: %w\n%s", pace, err, stderr.String())
	}
	var c cost
	err = json.Unmarshal(out.Bytes(), &c)
	return c, err
}

// target is a node in the fleet's discovery file.
type target struct {
	Address string `json:"address"`
	Port    int    `json:"port"`
}

// baseline polls the fleet with net/http: args are the pace, the discovery file, the interval and for how long. It prints
// its cost.
func baseline(args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("baseline: %d arguments", len(args))
	}
	urls, err := targets(args[1])
	if err != nil {
		return err
	}
	interval, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	span, err := time.ParseDuration(args[3])
	if err != nil {
		return err
	}
	p := newPoller(len(urls))
	p.all(urls) // connections and tags
	began := cpuTime()
	p.polls, p.failed = 0, 0
	switch args[0] {
	case "saturated":
		for end := time.Now().Add(span); time.Now().Before(end); {
			p.all(urls)
		}
	case "beats":
		p.paced(urls, interval, span, beat)
	default:
		p.paced(urls, interval, span, 0)
	}
	used := cpuTime() - began
	return json.NewEncoder(os.Stdout).Encode(cost{
		Pace: args[0], Polls: p.polls, Micros: float64(used.Microseconds()) / float64(max(p.polls, 1)), Errors: p.failed,
	})
}

func targets(file string) ([]string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var clusters []struct {
		Nodes []target `json:"nodes"`
	}
	if err := json.Unmarshal(raw, &clusters); err != nil {
		return nil, err
	}
	var urls []string
	for _, c := range clusters {
		for _, n := range c.Nodes {
			urls = append(urls, "http://"+net.JoinHostPort(n.Address, strconv.Itoa(n.Port))+"/v1/node")
		}
	}
	return urls, nil
}

// poller is a bare keep-alive client that sends the tags it was given.
type poller struct {
	client *http.Client
	mu     sync.Mutex
	tags   map[string]string
	polls  int
	failed int
}

func newPoller(n int) *poller {
	return &poller{tags: map[string]string{}, client: &http.Client{
		Timeout: 5 * time.Second,
		Transport: &http.Transport{
			MaxIdleConns: n, MaxIdleConnsPerHost: 1, IdleConnTimeout: 10 * time.Minute, DisableCompression: true,
		},
	}}
}

// all polls every target once, 64 at a time.
func (p *poller) all(urls []string) {
	var wg sync.WaitGroup
	next := make(chan string)
	for range 64 {
		wg.Go(func() {
			for u := range next {
				p.one(u)
			}
		})
	}
	for _, u := range urls {
		next <- u
	}
	close(next)
	wg.Wait()
}

// paced polls every target once an interval: in beats all that are due together, else one by one.
func (p *poller) paced(urls []string, interval, span, beat time.Duration) {
	step := interval / time.Duration(len(urls))
	if beat > 0 {
		step = beat
	}
	each := max(1, int(int64(len(urls))*int64(step)/int64(interval)))
	tick := time.NewTicker(step)
	defer tick.Stop()
	end := time.Now().Add(span)
	var wg sync.WaitGroup
	defer wg.Wait()
	for at := 0; time.Now().Before(end); {
		<-tick.C
		for range each {
			u := urls[at%len(urls)]
			at++
			wg.Go(func() { p.one(u) })
		}
	}
}

func (p *poller) one(u string) {
	p.mu.Lock()
	tag := p.tags[u]
	p.mu.Unlock()
	tag, err := p.get(u, tag)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.polls++
	if err != nil {
		p.failed++
		return
	}
	p.tags[u] = tag
}

func (p *poller) get(u, tag string) (string, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, u, nil)
	if err != nil {
		return "", err
	}
	if tag != "" {
		req.Header.Set("If-None-Match", tag)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.Copy(io.Discard, bufio.NewReader(res.Body)); err != nil {
		return "", err
	}
	if res.StatusCode == http.StatusNotModified {
		return tag, nil
	}
	return res.Header.Get("ETag"), nil
}

// cpuTime is the user and system time this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
