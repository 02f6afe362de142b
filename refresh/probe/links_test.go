package probe_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

// store is the client of a store that answers each line with one.
type store struct {
	net.Conn
	in *bufio.Reader
}

func (s *store) Close() { _ = s.Conn.Close() }

func (s *store) say(line string) (string, error) {
	if _, err := io.WriteString(s.Conn, line+"\n"); err != nil {
		return "", fmt.Errorf("say: %w", err)
	}
	answer, err := s.in.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("hear: %w", err)
	}
	return answer, nil
}

// question is one that is answered.
func question(_ context.Context, s *store) error {
	_, err := s.say("how are you")
	return err
}

func connect(ctx context.Context, line *probe.Line, t refresh.Target) (*store, error) {
	conn, err := line.Dial(ctx, "tcp", t.HostPort())
	if err != nil {
		return nil, err
	}
	return &store{Conn: conn, in: bufio.NewReader(conn)}, nil
}

func linksOver(p *pipes) *probe.Links[*store] {
	return &probe.Links[*store]{Env: p.env(), Open: connect}
}

func at(port int) refresh.Target { return refresh.Target{Node: "n", Address: "n", Port: port} }

// echo answers every line.
func echo(_ int, conn net.Conn) {
	for in := bufio.NewReader(conn); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		if _, err := io.WriteString(conn, line); err != nil {
			return
		}
	}
}

func expectReason(t *testing.T, err error, reason string) {
	t.Helper()
	if err == nil || refresh.FaultOf(err).Reason != reason {
		t.Errorf("error is %v, wanted is one of the reason %s", err, reason)
	}
}

func TestClientsAreKept(t *testing.T) {
	p := network(t, echo)
	links := linksOver(p)
	defer links.Close()
	for range 3 {
		for _, port := range []int{1, 2} {
			if err := links.Ask(t.Context(), at(port), question); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.expect(t, 2, 2)
	odd := errors.New("odd")
	if err := links.Ask(t.Context(), at(1), func(context.Context, *store) error { return odd }); !errors.Is(err, odd) {
		t.Errorf("error is %v", err)
	}
	p.expect(t, 2, 1) // a client whose question failed is not kept
	if err := links.Ask(t.Context(), at(1), question); err != nil {
		t.Error(err)
	}
	p.expect(t, 3, 2)
}

func TestOneIdleForEachAddress(t *testing.T) {
	p := network(t, echo)
	links := linksOver(p)
	defer links.Close()
	err := links.Ask(t.Context(), at(1), func(ctx context.Context, outer *store) error {
		err := links.Ask(ctx, at(1), func(_ context.Context, inner *store) error {
			if inner == outer {
				t.Error("one client serves two polls")
			}
			p.expect(t, 2, 2)
			return nil
		})
		p.expect(t, 2, 2) // the inner rests, the outer is in use
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	p.expect(t, 2, 1)
}

func TestIdleClientsAreBounded(t *testing.T) {
	const most = 1024
	p := network(t, echo)
	links := linksOver(p)
	defer links.Close()
	ask := func(port int) {
		t.Helper()
		if err := links.Ask(t.Context(), at(port), question); err != nil {
			t.Fatal(err)
		}
	}
	for port := 1; port <= most; port++ {
		ask(port)
	}
	p.expect(t, most, most)
	ask(1) // now 2 is the one unused for longest
	ask(most + 1)
	p.expect(t, most+1, most)
	ask(1)
	p.expect(t, most+1, most)
	ask(2)
	p.expect(t, most+2, most)
}

func TestClientsRestTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := network(t, echo)
		links := linksOver(p)
		defer links.Close()
		ask := func(port int) {
			t.Helper()
			if err := links.Ask(t.Context(), at(port), question); err != nil {
				t.Fatal(err)
			}
		}
		ask(1)
		<-time.After(10 * time.Minute)
		ask(1)
		p.expect(t, 1, 1)
		<-time.After(10*time.Minute + time.Nanosecond)
		ask(1)
		p.expect(t, 2, 1)
		<-time.After(10*time.Minute + time.Nanosecond)
		ask(2) // what has rested too long goes when another comes
		p.expect(t, 3, 1)
	})
}

// A server may close a connection while it rests, or in its answer. It is asked again, and only once.
func TestLostConnectionsAreReplaced(t *testing.T) {
	const half = "half an ans" // without its end
	for name, c := range map[string]struct {
		answers   []string // of the connections in turn, to their second question; empty closes instead
		dials     int
		reason    string
		keptAfter int
	}{
		"closed":           {[]string{"", "fine\n"}, 2, "", 1},
		"closed in word":   {[]string{half, "fine\n"}, 2, "", 1},
		"closed each time": {[]string{"", half}, 2, fsm.ReasonReset, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := network(t, func(dial int, conn net.Conn) {
				in := bufio.NewReader(conn)
				if dial == 1 {
					_, _ = in.ReadString('\n')
					_, _ = io.WriteString(conn, "first\n")
				}
				_, _ = in.ReadString('\n')
				_, _ = io.WriteString(conn, c.answers[dial-1])
				if c.answers[dial-1] == "fine\n" {
					_, _ = in.ReadString('\n')
				}
			})
			links := linksOver(p)
			defer links.Close()
			if err := links.Ask(t.Context(), at(1), question); err != nil {
				t.Fatal(err)
			}
			err := links.Ask(t.Context(), at(1), question)
			if c.reason == "" && err != nil {
				t.Error(err)
			} else if c.reason != "" {
				expectReason(t, err, c.reason)
			}
			p.expect(t, c.dials, c.keptAfter)
		})
	}
}

// A first connection is never tried again, whatever became of it.
func TestNewConnectionsAreNotReplaced(t *testing.T) {
	p := network(t, func(_ int, conn net.Conn) { _, _ = bufio.NewReader(conn).ReadString('\n') })
	links := linksOver(p)
	defer links.Close()
	expectReason(t, links.Ask(t.Context(), at(1), question), fsm.ReasonReset)
	p.expect(t, 1, 0)
}

func TestContextEndsTheQuestion(t *testing.T) {
	heard := make(chan struct{}, 1)
	p := network(t, func(_ int, conn net.Conn) {
		in := bufio.NewReader(conn)
		if _, err := in.ReadString('\n'); err == nil {
			heard <- struct{}{}
			_, _ = in.ReadString('\n')
		}
	})
	links := linksOver(p)
	defer links.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := links.Ask(ended, at(1), question); !errors.Is(err, context.Canceled) {
		t.Errorf("before: error is %v", err)
	}
	p.expect(t, 0, 0)
	if err := links.Ask(t.Context(), at(2), func(context.Context, *store) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := links.Ask(ended, at(2), question); !errors.Is(err, context.Canceled) {
		t.Errorf("before, with a kept client: error is %v", err)
	}
	p.expect(t, 1, 1) // nothing was asked of it

	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-heard; cancel() }()
	if err := links.Ask(ctx, at(1), question); !errors.Is(err, context.Canceled) {
		t.Errorf("within: error is %v", err)
	}
	p.expect(t, 2, 1)

	ctx, cancel = context.WithCancel(t.Context())
	err := links.Ask(ctx, at(1), func(context.Context, *store) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("at the end: error is %v", err)
	}
	p.expect(t, 3, 1) // its connections were closed, so it is not kept
}

func TestFailedOpenLeavesNothing(t *testing.T) {
	p := network(t, echo)
	links := linksOver(p)
	defer links.Close()
	links.Open = func(ctx context.Context, line *probe.Line, t refresh.Target) (*store, error) {
		_, _ = connect(ctx, line, t) // and lets it lie
		return nil, refresh.NewFault(fsm.ReasonAuth, "no password")
	}
	expectReason(t, links.Ask(t.Context(), at(1), question), fsm.ReasonAuth)
	p.expect(t, 1, 0)
}

func TestContextEndsTheConnect(t *testing.T) {
	heard := make(chan struct{}, 1)
	p := network(t, func(_ int, conn net.Conn) {
		_, _ = bufio.NewReader(conn).ReadString('\n')
		heard <- struct{}{}
		_, _ = conn.Read(make([]byte, 1))
	})
	links := linksOver(p)
	links.Open = func(ctx context.Context, line *probe.Line, t refresh.Target) (*store, error) {
		s, err := connect(ctx, line, t)
		if err != nil {
			return nil, err
		}
		_, err = s.say("who am i") // a login that is never answered
		return nil, err
	}
	defer links.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-heard; cancel() }()
	if err := links.Ask(ctx, at(1), question); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	p.expect(t, 1, 0) // though Open let its connection lie
}

func TestClose(t *testing.T) {
	p := network(t, echo)
	links := linksOver(p)
	if err := links.Ask(t.Context(), at(2), question); err != nil {
		t.Fatal(err)
	}
	err := links.Ask(t.Context(), at(1), func(ctx context.Context, s *store) error {
		links.Close()
		p.expect(t, 2, 1)
		return question(ctx, s) // what is in use is not disturbed
	})
	if err != nil {
		t.Error(err)
	}
	p.expect(t, 2, 0)
	links.Close()
}

// A kept client that is stale by its own word is asked once more over a new one, and a new one is not.
func TestStaleClientsAreReplaced(t *testing.T) {
	p := network(t, echo)
	links := linksOver(p)
	defer links.Close()
	if err := links.Ask(t.Context(), at(1), question); err != nil {
		t.Fatal(err)
	}
	asked := 0
	stale := func(times int) func(context.Context, *store) error {
		return func(ctx context.Context, s *store) error {
			if asked++; asked <= times {
				return fmt.Errorf("bye: %w", probe.ErrStale)
			}
			return question(ctx, s)
		}
	}
	if err := links.Ask(t.Context(), at(1), stale(1)); err != nil || asked != 2 {
		t.Errorf("asked %d times, error is %v", asked, err)
	}
	p.expect(t, 2, 1)
	asked = 0
	if err := links.Ask(t.Context(), at(2), stale(9)); !errors.Is(err, probe.ErrStale) || asked != 1 {
		t.Errorf("a new one is asked %d times, error is %v", asked, err)
	}
	p.expect(t, 3, 1)
}

// The error that tells most: too long an answer, the end of ctx, what the server said, how the connection ended.
func TestWhichErrorIsTold(t *testing.T) {
	said := refresh.NewFault(fsm.ReasonAuth, "who are you")
	fault := func(err error) error {
		if err.Error() == "said" {
			return said
		}
		return err
	}
	// after says one thing and then fails with another.
	after := func(line, failure string) func(context.Context, *store) error {
		return func(_ context.Context, s *store) error {
			if line != "" {
				_, _ = s.say(line)
			}
			return errors.New(failure)
		}
	}
	refused := func(_ context.Context, s *store) error {
		_, _ = s.say("bye")
		return &net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}
	}
	for name, c := range map[string]struct {
		ask    func(context.Context, *store) error
		cancel bool
		reason string
	}{
		"what the server said": {after("", "said"), false, fsm.ReasonAuth},
		"and hung up":          {after("bye", "said"), false, fsm.ReasonAuth},
		"an alert of TLS":      {refused, false, fsm.ReasonTLS},
		"how it ended":         {after("bye", "broken"), false, fsm.ReasonReset},
		"nothing known":        {after("", "broken"), false, fsm.ReasonProtocol},
		"end of the context":   {after("", "said"), true, fsm.ReasonTimeout},
		"too long":             {after("much", "said"), false, fsm.ReasonTooLarge},
		"too long, and ended":  {after("much", "said"), true, fsm.ReasonTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			p := network(t, func(_ int, conn net.Conn) {
				line, _ := bufio.NewReader(conn).ReadString('\n')
				if line == "much\n" {
					_, _ = io.WriteString(conn, "more than ten\n")
				}
			})
			links := linksOver(p)
			links.MaxAnswer, links.Fault = 10, fault
			defer links.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := links.Ask(ctx, at(1), func(ctx context.Context, s *store) error {
				err := c.ask(ctx, s)
				if c.cancel {
					cancel()
				}
				return err
			})
			expectReason(t, err, c.reason)
			p.expect(t, 1, 0)
		})
	}
}

// A server that ends a session which rests says so where TLS is spoken. That is no answer: it is asked again.
func TestFarewellIsNoAnswer(t *testing.T) {
	ours, v := newAuthority(t), &vault{}
	v.put("ours", ours.PEM)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", ours.server(t, "127.0.0.1", nil))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	taken := make(chan *tls.Conn, 3)
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				echo(1, conn)
				_ = conn.Close()
			})
			taken <- conn.(*tls.Conn)
		}
	})
	defer func() {
		_ = listener.Close()
		all.Wait()
	}()

	secured := probe.TLS{On: true, Authorities: "ours"}
	links := &probe.Links[*store]{
		Env: refresh.Env{Dial: new(net.Dialer).DialContext, Reveal: v.reveal},
		Open: func(ctx context.Context, line *probe.Line, t refresh.Target) (*store, error) {
			conn, err := line.Connect(ctx, t, &secured)
			return &store{Conn: conn, in: bufio.NewReader(conn)}, err
		},
	}
	defer links.Close()
	target := refresh.Target{Node: "n", Address: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port}
	for _, farewell := range []func(*tls.Conn) error{(*tls.Conn).CloseWrite, (*tls.Conn).Close, (*tls.Conn).Close} {
		if err := links.Ask(t.Context(), target, question); err != nil {
			t.Fatal(err)
		}
		_ = farewell(<-taken)
	}
}
