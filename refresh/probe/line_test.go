package probe_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

// pair is a client with two connections.
type pair [2]*store

func (p *pair) Close() { p[0].Close(); p[1].Close() }

// The bound is on what all connections of a client bring in one poll, and each poll has it anew.
func TestLineBoundsAnswers(t *testing.T) {
	const limit = 64
	p := network(t, echo)
	links := &probe.Links[*pair]{
		Env: p.env(), MaxAnswer: limit,
		Open: func(ctx context.Context, line *probe.Line, t refresh.Target) (*pair, error) {
			a, err := connect(ctx, line, t)
			if err != nil {
				return nil, err
			}
			b, err := connect(ctx, line, t)
			return &pair{a, b}, err
		},
	}
	defer links.Close()
	ask := func(bytes int) error {
		return links.Ask(t.Context(), at(1), func(_ context.Context, c *pair) error {
			_, err := c[0].say(strings.Repeat("x", limit/2-1))
			if err == nil {
				_, err = c[1].say(strings.Repeat("x", bytes-limit/2-1))
			}
			return err
		})
	}
	for range 3 {
		if err := ask(limit); err != nil {
			t.Fatal(err)
		}
	}
	p.expect(t, 2, 2)
	expectReason(t, ask(limit+1), fsm.ReasonTooLarge)
	p.expect(t, 2, 0)
}

func TestLineBoundsAnswersByDefault(t *testing.T) {
	p := network(t, func(_ int, conn net.Conn) {
		block := make([]byte, 64<<10)
		for err := error(nil); err == nil; {
			_, err = conn.Write(block)
		}
	})
	links := linksOver(p)
	defer links.Close()
	var heard int64
	err := links.Ask(t.Context(), at(1), func(_ context.Context, s *store) (err error) {
		heard, err = io.Copy(io.Discard, s.Conn)
		return err
	})
	expectReason(t, err, fsm.ReasonTooLarge)
	if heard < 1<<20 || heard > 1<<20+64<<10 {
		t.Errorf("%d bytes were read", heard)
	}
}

func TestLineConnectsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		links := &probe.Links[*store]{Open: connect, Env: refresh.Env{
			ConnectTimeout: time.Second,
			Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
		}}
		defer links.Close()
		begun := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		expectReason(t, links.Ask(ctx, at(1), question), fsm.ReasonTimeout)
		if took := time.Since(begun); took != time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// A client that connects again by itself cannot do so once its line is cut.
func TestLineStaysCut(t *testing.T) {
	p := network(t, echo)
	var line *probe.Line
	links := linksOver(p)
	links.Open = func(ctx context.Context, l *probe.Line, t refresh.Target) (*store, error) {
		line = l
		return connect(ctx, l, t)
	}
	if err := links.Ask(t.Context(), at(1), question); err != nil {
		t.Fatal(err)
	}
	links.Close()
	if conn, err := line.Dial(t.Context(), "tcp", "n:1"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("connection is %v, error %v", conn, err)
	}
	p.expect(t, 2, 0)
}
