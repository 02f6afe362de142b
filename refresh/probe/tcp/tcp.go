package tcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

const (
	maxText   = 256
	maxAnswer = 4 << 10
)

// Prober asks nodes by connecting to them.
type Prober struct {
	dial         func(ctx context.Context, network, address string) (net.Conn, error)
	connect      time.Duration
	send, expect string
	kind         string
}

// New makes a Prober.
func New(config fsm.JSON, env refresh.Env) (refresh.Asker, error) {
	p := &Prober{dial: env.Dial, connect: env.ConnectTimeout}
	err := probe.Read(config, probe.Fields{"send": &p.send, "expect": &p.expect, "kind": &p.kind})
	switch {
	case err != nil:
		return nil, err
	case len(p.send) > maxText:
		return nil, fsm.Invalid("refresh.config.send", "is longer than %d bytes", maxText)
	case len(p.expect) > maxText:
		return nil, fsm.Invalid("refresh.config.expect", "is longer than %d bytes", maxText)
	case p.send != "" && p.expect == "":
		return nil, fsm.Invalid("refresh.config.expect", "is empty; say what must come back for \"send\"")
	case len(p.kind) > fsm.MaxWord:
		return nil, fsm.Invalid("refresh.config.kind", "is longer than %d bytes", fsm.MaxWord)
	}
	return p, nil
}

// Close does nothing: nothing is kept.
func (p *Prober) Close() {}

// Probe implements refresh.Prober.
func (p *Prober) Probe(ctx context.Context, t refresh.Target) fsm.Report {
	err := p.ask(ctx, t)
	switch {
	case err != nil && ctx.Err() != nil:
		return t.Failed(ctx.Err())
	case err != nil:
		return t.Failed(err)
	}
	r := fsm.Report{Node: t.Node, Reachable: true, State: fsm.StateUp, Kind: p.kind}
	r.Bound()
	return r
}

func (p *Prober) ask(ctx context.Context, t refresh.Target) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	dialing, cancel := ctx, context.CancelFunc(func() {})
	if p.connect > 0 {
		dialing, cancel = context.WithTimeout(ctx, p.connect)
	}
	conn, err := p.dial(dialing, "tcp", t.HostPort())
	cancel()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer func() {
		if stop() {
			_ = conn.Close()
		}
	}()
	if p.expect == "" {
		return nil
	}
	if _, err := io.WriteString(conn, p.send); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return p.await(conn)
}

func (p *Prober) await(conn net.Conn) error {
	var got [maxAnswer]byte
	n := 0
	for n < len(got) {
		more, err := conn.Read(got[n:])
		n += more
		switch {
		case bytes.Contains(got[:n], []byte(p.expect)):
			return nil
		case errors.Is(err, io.EOF) && n > 0:
			return refresh.NewFault(fsm.ReasonProtocol, "what came back does not hold what is expected")
		case err != nil:
			return fmt.Errorf("read: %w", err)
		}
	}
	return refresh.NewFault(fsm.ReasonTooLarge, "the first %d bytes do not hold what is expected", maxAnswer)
}
