package probetest

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
)

const (
	short  = 300 * time.Millisecond // the deadline where nothing answers
	long   = time.Minute            // the deadline where something does
	prompt = 5 * time.Second        // longer than short, and far from long: what "at once" may take on a busy machine
)

// Subject is a kind of prober under test.
type Subject struct {
	Make  func(env refresh.Env) (refresh.Asker, error)
	Serve func(conn net.Conn) // answers rightly, request by request, until the other side closes or conn is closed
	Want  fsm.Report          // what a right answer brings; the suite sets Node

	// Head begins an answer whose rest, were it right, could be of any length.
	Head string
	HTTP bool // it speaks HTTP, and so meets redirects
}

// Run runs the suite.
func Run(t *testing.T, s Subject) {
	t.Run("right answer", s.right)
	t.Run("kept connection closed", s.restarted)
	t.Run("at once from many", s.concurrent)
	t.Run("silent", s.fails(short, []string{fsm.ReasonTimeout}, silent))
	t.Run("one byte a second", s.fails(short, []string{fsm.ReasonTimeout}, slow(s.Head)))
	t.Run("garbage", s.fails(long, []string{fsm.ReasonProtocol, fsm.ReasonDecode}, says("\x00\x17garbage\xff\r\n\r\n")))
	t.Run("10 MiB", s.fails(long, []string{fsm.ReasonTooLarge}, huge(s.Head)))
	t.Run("hangs up", s.fails(long, []string{fsm.ReasonReset}, says("")))
	t.Run("refused", s.refused)
	t.Run("forbidden", s.forbidden)
	t.Run("cancelled before", s.cancelledBefore)
	t.Run("cancelled within", s.cancelledWithin)
	if s.HTTP {
		t.Run("redirect", s.redirect)
	}
}

// start makes the prober; when the test ends nothing of it may be left.
func (s Subject) start(t *testing.T) refresh.Prober {
	t.Helper()
	before := goleak.IgnoreCurrent()
	client, err := poll.New(poll.Config{Rules: poll.Rules{AllowLoopback: true}})
	if err != nil {
		t.Fatal(err)
	}
	asker, err := s.Make(refresh.Env{HTTP: client, Dial: client.Dial, ConnectTimeout: prompt})
	if err != nil {
		t.Fatal(err)
	}
	prober, ok := asker.(refresh.Prober)
	if !ok {
		t.Fatalf("%T is no refresh.Prober", asker)
	}
	t.Cleanup(func() {
		prober.Close()
		client.Close()
		goleak.VerifyNone(t, before)
	})
	return prober
}

// against starts the prober and, so that it ends first, a server.
func (s Subject) against(t *testing.T, handle func(*server, net.Conn)) (refresh.Prober, *server) {
	t.Helper()
	prober := s.start(t)
	srv := serve(t, handle)
	t.Cleanup(srv.close)
	return prober, srv
}

func (s Subject) serveRight(_ *server, conn net.Conn) { s.Serve(conn) }

func (s Subject) expect(t *testing.T, got fsm.Report, target refresh.Target) {
	t.Helper()
	want := s.Want
	want.Node = target.Node
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func (s Subject) right(t *testing.T) {
	prober, srv := s.against(t, s.serveRight)
	for range 3 {
		s.expect(t, ask(t, prober, srv.target, long), srv.target)
	}
}

func (s Subject) restarted(t *testing.T) {
	prober, srv := s.against(t, s.serveRight)
	for range 3 {
		s.expect(t, ask(t, prober, srv.target, long), srv.target)
		srv.hangUp()
	}
}

func (s Subject) concurrent(t *testing.T) {
	prober, srv := s.against(t, s.serveRight)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 5 {
				s.expect(t, ask(t, prober, srv.target, long), srv.target)
			}
		})
	}
	all.Wait()
}

// fails polls a server that does as handle does, and expects an unreachable node with one of the reasons.
func (s Subject) fails(deadline time.Duration, reasons []string, handle func(*server, net.Conn)) func(*testing.T) {
	return func(t *testing.T) {
		prober, srv := s.against(t, handle)
		for range 2 {
			expectReason(t, ask(t, prober, srv.target, deadline), srv.target, reasons...)
		}
	}
}

func (s Subject) refused(t *testing.T) {
	prober, srv := s.against(t, silent)
	_ = srv.listener.Close()
	expectReason(t, ask(t, prober, srv.target, long), srv.target, fsm.ReasonRefused)
}

func (s Subject) forbidden(t *testing.T) {
	prober := s.start(t)
	for _, address := range []string{"169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1"} {
		target := refresh.Target{Cluster: "orders", Node: "orders-1", Address: address, Port: 80}
		expectReason(t, ask(t, prober, target, long), target, fsm.ReasonForbidden)
	}
}

func (s Subject) cancelledBefore(t *testing.T) {
	prober, srv := s.against(t, s.serveRight)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	expectReason(t, within(t, ctx, prober, srv.target), srv.target, fsm.ReasonTimeout)
}

func (s Subject) cancelledWithin(t *testing.T) {
	prober, srv := s.against(t, silent)
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	go func() {
		defer cancel()
		select {
		case <-srv.asked:
		case <-ctx.Done():
		}
	}()
	expectReason(t, within(t, ctx, prober, srv.target), srv.target, fsm.ReasonTimeout)
}

func (s Subject) redirect(t *testing.T) {
	prober, srv := s.against(t, says("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"))
	expectReason(t, ask(t, prober, srv.target, long), srv.target, fsm.ReasonRedirect)
}

// ask polls once, and fails the test when that takes longer than the deadline allows.
func ask(t *testing.T, p refresh.Prober, target refresh.Target, deadline time.Duration) fsm.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	return within(t, ctx, p, target)
}

// within polls once and fails the test when the answer is not prompt: every server here answers at once, or the context
// ends soon.
func within(t *testing.T, ctx context.Context, p refresh.Prober, target refresh.Target) fsm.Report {
	t.Helper()
	begun := time.Now()
	report := p.Probe(ctx, target)
	if took := time.Since(begun); took > prompt {
		t.Errorf("the poll took %s", took)
	}
	return report
}

// expectReason checks that a report says that the node could not be asked, for one of the reasons, and nothing more.
func expectReason(t *testing.T, got fsm.Report, target refresh.Target, reasons ...string) {
	t.Helper()
	if !slices.Contains(reasons, got.Reason) {
		t.Errorf("reason is %q (%s), wanted is one of %q", got.Reason, got.Detail, reasons)
	}
	want := fsm.Report{Node: target.Node, Reason: got.Reason, Detail: got.Detail}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("an unreachable report says more than why (-want +got):\n%s", diff)
	}
	if got.Detail == "" {
		t.Error("the report has no detail")
	}
}
