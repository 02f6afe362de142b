package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// asking is how a bare client asks the nodes of a fleet.
type asking struct {
	Pace     string        // beats, paced or saturated
	File     string        // discovery file
	Interval time.Duration // between two polls of a node
	Span     time.Duration // of measuring
	Part, Of int           // which nodes: every Of-th from Part on
}

// cost is what polls took of the CPU of the processes that sent them.
type cost struct {
	CPU    float64 // seconds
	Polls  int
	Dialed int
	Errors int
}

// micros is the CPU of a poll.
func (c cost) micros() float64 { return c.CPU * 1e6 / float64(max(c.Polls, 1)) }

// dialed is the share of polls that needed a new connection, in percent.
func (c cost) dialed() float64 { return 100 * float64(c.Dialed) / float64(max(c.Polls, 1)) }

// beat is the rhythm in which the pace "beats" asks together, as the peers do.
const beat = 250 * time.Millisecond

// bare asks a fleet with net/http and keep-alive and does nothing else, from as many processes as there are peers, so that
// each has a peer's share of the nodes and the same limit of open files.
func (b *bench) bare(ctx context.Context, f *fleet, pace string, interval time.Duration) (cost, error) {
	step("bare GETs, " + pace)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var total cost
	var errs []error
	for part := range b.peers {
		wg.Go(func() {
			c, err := childCost(ctx, asking{pace, f.file, interval, b.baseline, part, b.peers})
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
			total.CPU += c.CPU
			total.Polls += c.Polls
			total.Dialed += c.Dialed
			total.Errors += c.Errors
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return cost{}, err
	}
	if total.Polls == 0 || total.Errors*100 > total.Polls {
		return cost{}, fmt.Errorf("bare GETs, %s: %d of %d went wrong", pace, total.Errors, total.Polls)
	}
	return total, nil
}

// childCost runs this program again as a bare client, so that its CPU is its own.
func childCost(ctx context.Context, a asking) (cost, error) {
	self, err := os.Executable()
	if err != nil {
		return cost{}, err
	}
	text, err := json.Marshal(a)
	if err != nil {
		return cost{}, err
	}
	var out, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, self, "baseline", string(text))
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		return cost{}, fmt.Errorf("bare GETs, %s: %w\n%s", a.Pace, err, stderr.String())
	}
	var c cost
	err = json.Unmarshal(out.Bytes(), &c)
	return c, err
}

// baselineChild is that process: its argument is an asking, and it prints its cost.
func baselineChild(ctx context.Context, args []string, to io.Writer) error {
	if len(args) != 1 {
		return fmt.Errorf("baseline: %d arguments", len(args))
	}
	var a asking
	if err := json.Unmarshal([]byte(args[0]), &a); err != nil {
		return err
	}
	urls, err := targets(a.File)
	if err != nil {
		return err
	}
	p := newPoller(share(urls, a.Part, a.Of), thisMachine().OpenFiles)
	p.all(ctx) // connections and tags
	began := cpuTime()
	p.forget()
	switch a.Pace {
	case "saturated":
		for end := time.Now().Add(a.Span); time.Now().Before(end); {
			p.all(ctx)
		}
	case "beats":
		p.paced(ctx, a, beat)
	default:
		p.paced(ctx, a, a.Interval/time.Duration(len(p.nodes)))
	}
	c := p.cost()
	c.CPU = (cpuTime() - began).Seconds()
	return json.NewEncoder(to).Encode(c)
}

// share is every of-th from part on.
func share(all []string, part, of int) []string {
	var out []string
	for i := part; i < len(all); i += of {
		out = append(out, all[i])
	}
	return out
}

// targets are the nodes of a discovery file, as URLs of the node protocol.
func targets(file string) ([]string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var clusters []struct {
		Nodes []struct {
			Address string `json:"address"`
			Port    int    `json:"port"`
		} `json:"nodes"`
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

// cpuTime is the user and system time this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
