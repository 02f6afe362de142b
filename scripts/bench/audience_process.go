package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"
)

// hall is an audience that has come.
type hall struct {
	quick, slow []*listener
	measuring   atomic.Bool
	reading     sync.WaitGroup
	began       time.Time
	cpu         time.Duration
}

// gather connects an audience; everybody begins as soon as he is there.
func (a *audience) gather(ctx context.Context) (*hall, error) {
	h := &hall{began: time.Now(), cpu: cpuTime()}
	for i := range a.Quick + a.Slow {
		query := "?after=now"
		if i >= a.Quick || a.Until > 0 {
			query = ""
		}
		l, err := listen(ctx, a.Peers[i%len(a.Peers)], query)
		switch {
		case err != nil:
			return nil, err
		case i < a.Quick:
			h.quick = append(h.quick, l)
			h.reading.Go(func() { l.attend(&h.measuring, a.Until) })
		default:
			h.slow = append(h.slow, l)
			if i%2 == 0 {
				h.reading.Go(l.crawl)
			}
		}
	}
	return h, nil
}

// leave ends all reading and tells what was heard.
func (h *hall) leave() heard {
	out := heard{Quick: len(h.quick)}
	for _, l := range h.quick {
		if l.ended.Load() {
			out.Ended++
		}
	}
	for _, l := range append(h.quick, h.slow...) {
		_ = l.conn.Close() // that ends its reading
	}
	h.reading.Wait()
	out.Seconds, out.CPU = time.Since(h.began).Seconds(), (cpuTime() - h.cpu).Seconds()
	out.tally(h.quick)
	return out
}

// audienceChild is the process of an audience, which is its argument. It says ready when all follow; a line on stdin begins
// the measuring, another ends it, and the end of stdin has it print what was heard. One that catches up does so and prints.
func audienceChild(ctx context.Context, args []string, to io.Writer) error {
	var a audience
	if len(args) != 1 || json.Unmarshal([]byte(args[0]), &a) != nil {
		return errors.New("audience: wants one as its argument")
	}
	h, err := a.gather(ctx)
	if err != nil {
		return err
	}
	if a.Until > 0 {
		h.reading.Wait()
		return json.NewEncoder(to).Encode(h.leave())
	}
	if _, err := fmt.Fprintln(to, "ready"); err != nil {
		return err
	}
	for lines, on := bufio.NewScanner(os.Stdin), true; lines.Scan(); on = false {
		h.measuring.Store(on)
	}
	return json.NewEncoder(to).Encode(h.leave())
}

// attendance is a running child with an audience.
type attendance struct {
	cmd    *exec.Cmd
	orders io.WriteCloser
	said   *bufio.Reader
	stderr bytes.Buffer
}

// start runs an audience and, unless it catches up, waits until all follow.
func (a audience) start(ctx context.Context) (*attendance, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	p := &attendance{cmd: exec.CommandContext(ctx, self, "audience", string(text))}
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.orders, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if p.said = bufio.NewReader(out); a.Until == 0 {
		if _, err := p.said.ReadString('\n'); err != nil {
			return nil, fmt.Errorf("followers: %w\n%s", errors.Join(err, p.cmd.Wait()), p.stderr.String())
		}
	}
	return p, nil
}

// next has it begin to measure, and then end that.
func (p *attendance) next() error {
	_, err := fmt.Fprintln(p.orders)
	return err
}

// done has it leave and reads what was heard.
func (p *attendance) done() (h heard, err error) {
	err = p.orders.Close()
	if more := json.NewDecoder(p.said).Decode(&h); more != nil {
		err = errors.Join(err, fmt.Errorf("followers: %w\n%s", more, p.stderr.String()))
	}
	return h, errors.Join(err, p.cmd.Wait())
}
