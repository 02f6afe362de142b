package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// catchUp measures how fast kept events are read from the oldest on, by one follower and by ten at once, and the same bytes
// from a server that only copies them.
func (s *events) catchUp(ctx context.Context, g *group, out *result) error {
	leader, err := g.Leader(ctx)
	if err != nil {
		return err
	}
	var peers []string
	for _, p := range g.Running() {
		peers = append(peers, p.HTTP)
	}
	body, err := history(ctx, peers[0], s.kept)
	if err != nil {
		return err
	}
	bare, stop, err := copier(body)
	if err != nil {
		return err
	}
	defer stop()
	for _, n := range []int{1, 10} {
		name := strconv.Itoa(n) + "-catch-up"
		step(name)
		base, err := caughtUp(ctx, audience{Peers: []string{bare}, Quick: n, Until: s.kept})
		if err != nil {
			return err
		}
		profiles, err := g.profiled(ctx, name, 2*time.Second)
		if err != nil {
			return err
		}
		before, err := g.read(ctx, leader)
		if err != nil {
			return err
		}
		h, err := caughtUp(ctx, audience{Peers: peers, Quick: n, Until: s.kept})
		if err != nil {
			return err
		}
		after, err := g.read(ctx, leader)
		if err != nil {
			return err
		}
		total := float64(n * s.kept)
		out.add(
			figure{Name: "events", Case: name, Value: total / h.Seconds, Unit: "/s", Goal: "> 50000", Note: "of all that catch up"},
			figure{Name: "events, copied by net/http", Case: name, Value: total / base.Seconds, Unit: "/s"},
			figure{Name: "CPU of a delivered event", Case: name, Value: after.minus(before).cpu() * 1e6 / total, Unit: "us"},
			figure{Name: "CPU of a follower's event", Case: name, Value: h.CPU * 1e6 / total, Unit: "us"},
			figure{Name: "bytes of an event", Case: name, Value: float64(len(body)) / float64(s.kept), Unit: "B"},
		)
		if err := profiles.done(ctx, leader); err != nil {
			return err
		}
	}
	return nil
}

// caughtUp has an audience catch up.
func caughtUp(ctx context.Context, a audience) (heard, error) {
	p, err := a.start(ctx)
	if err != nil {
		return heard{}, err
	}
	h, err := p.done()
	if err == nil && (h.Gaps > 0 || h.Ended > 0) {
		err = fmt.Errorf("of %d that caught up %d ended early, with %d gaps", a.Quick, h.Ended, h.Gaps)
	}
	return h, err
}

// history is the lines of so many events from the oldest on, as a peer tells them.
func history(ctx context.Context, addr string, events int) ([]byte, error) {
	l, err := listen(ctx, addr, "")
	if err != nil {
		return nil, err
	}
	defer func() { _ = l.conn.Close() }()
	var body []byte
	for n := 0; n < events; {
		line, err := l.lines.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		body = append(body, line...)
		if _, _, ok := seqAndTime(line); ok {
			n++
		}
	}
	return body, nil
}

// copier serves bytes to whoever asks for anything, in writes of 16 KiB, until it is stopped.
func copier(body []byte) (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for rest := body; len(rest) > 0; {
			n := min(len(rest), 16<<10)
			if _, err := w.Write(rest[:n]); err != nil {
				return
			}
			rest = rest[n:]
		}
	})}
	go func() { _ = server.Serve(l) }()
	return l.Addr().String(), func() { _ = server.Close() }, nil
}
