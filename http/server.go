package httpd

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/fsm"
)

const (
	defaultMaxWaiting = 4096
	defaultMaxPerIP   = 100
	defaultMaxRate    = 1000
	leastConns        = 256
	headerTimeout     = 5 * time.Second // also of a handshake
	maxHeader         = 64 << 10
	idleTimeout       = 2 * time.Minute
	stopTimeout       = 5 * time.Second
)

// Config is what a Server needs. All but Hosts, TLS, the limits, Metrics, ACL, Debug and Tracer must be set.
type Config struct {
	Replica Replica
	Log     Log
	Clock   Clock
	Rules   Rules
	Work    Work
	Backups Backups
	Members Members
	Raft    Raft
	Life    Life
	Access  Access
	Keys    Keys
	Journal Journal
	Inside  Inside

	Metrics    http.Handler          // served at /metrics; nil leaves it out
	Registerer prometheus.Registerer // takes the server's own metrics
	Logger     *slog.Logger

	// Hosts are names and addresses, beside localhost and those of loopback, under which a server bound to loopback may be asked
	// for, by way of a proxy say. Others are refused there, since a web page that a browser shows could stand behind them.
	Hosts []string
	// MaxWaiting bounds the requests that block or follow at any time; 0 is 4096.
	MaxWaiting int
	// ACL has every request but those for /livez and /readyz show a token.
	ACL bool
	// MaxConns bounds the open connections; 0 is twice MaxWaiting, and 256 at least. MaxConnsPerIP bounds those from one address;
	// 0 is 100.
	MaxConns, MaxConnsPerIP int
	// MaxRate bounds the requests a second from one address off loopback, after a burst of two seconds' worth; 0 is 1000.
	MaxRate int
	// TLS is how Run's listener is secured; nil is plain HTTP.
	TLS *tls.Config
	// Debug serves the process's profiles at /debug/pprof/ also where ACL is off.
	Debug bool
	// Tracer follows requests; nil follows none.
	Tracer Tracer
}

func (c *Config) validate() error {
	for name, missing := range map[string]bool{
		"Replica": c.Replica == nil, "Log": c.Log == nil, "Clock": c.Clock == nil, "Rules": c.Rules == nil,
		"Work": c.Work == nil, "Backups": c.Backups == nil, "Members": c.Members == nil, "Raft": c.Raft == nil, "Life": c.Life == nil,
		"Access": c.Access == nil, "Keys": c.Keys == nil, "Journal": c.Journal == nil, "Inside": c.Inside == nil,
		"Registerer": c.Registerer == nil, "Logger": c.Logger == nil,
	} {
		if missing {
			return fmt.Errorf("http: %s is not set", name)
		}
	}
	if min(c.MaxWaiting, c.MaxConns, c.MaxConnsPerIP, c.MaxRate) < 0 {
		return errors.New("http: a limit is below 0")
	}
	return nil
}

// Server is the HTTP face of one peer. Its methods may be used by any number of goroutines.
type Server struct {
	Config
	log       *slog.Logger
	metrics   *metrics
	waiting   waiting
	backups   waiting
	most      int64 // bytes of a backup to restore
	press     press
	turn      chan struct{} // held by the one change that is computed again
	stopping  chan struct{} // closed when waiting requests are to end
	stop      func()
	crossing  *http.CrossOriginProtection
	refusals  sparse
	pace      *pace
	elsewhere chan struct{} // held by requests that look for their token at the leader
	handler   http.Handler
}

// New makes a server. It registers its metrics and starts nothing.
func New(c Config) (*Server, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	c.MaxWaiting = cmp.Or(c.MaxWaiting, defaultMaxWaiting)
	c.MaxConns = cmp.Or(c.MaxConns, max(leastConns, 2*c.MaxWaiting))
	c.MaxConnsPerIP = cmp.Or(c.MaxConnsPerIP, defaultMaxPerIP)
	c.MaxRate = cmp.Or(c.MaxRate, defaultMaxRate)
	m, err := newMetrics(c.Registerer)
	if err != nil {
		return nil, fmt.Errorf("http: register metrics: %w", err)
	}
	s := &Server{
		Config: c, log: c.Logger, metrics: m, turn: make(chan struct{}, 1), most: maxBackup, stopping: make(chan struct{}),
		crossing: http.NewCrossOriginProtection(), pace: newPace(c.MaxRate), elsewhere: make(chan struct{}, elsewherePlace),
		waiting: waiting{
			full:   "%d requests are waiting already; ask without index, or another peer",
			places: make(chan struct{}, c.MaxWaiting), now: m.waiting, refused: m.refused.WithLabelValues("waiting"),
		},
		backups: waiting{
			full:   "%d backups are on their way to or from this peer already; try again later, or ask another peer",
			places: make(chan struct{}, maxBackups), now: m.backups, refused: m.refused.WithLabelValues("backups"),
		},
	}
	s.stop = sync.OnceFunc(func() { close(s.stopping) })
	s.handler = s.router()
	return s, nil
}

// Handler is the face without a listener, and so without the check of the Host that depends on it.
func (s *Server) Handler() http.Handler { return s.handler }

// Run serves on a listener until ctx ends, and closes it. It may be called once. At the end blocked reads are answered
// and followers told to go elsewhere; whoever has not finished 5 s later is cut off.
func (s *Server) Run(ctx context.Context, ln net.Listener) error {
	ahead := unasked{conns: map[net.Conn]struct{}{}}
	server := &http.Server{
		Handler: s.paced(s.guard(ln.Addr())), ReadHeaderTimeout: headerTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ConnState: ahead.follow, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(s.secure(s.gate(ln))); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve http: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-gctx.Done()
		s.stop()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		ahead.hangUp()
		if err := server.Shutdown(grace); err != nil {
			s.log.Warn("http requests cut off", "error", err)
			return server.Close()
		}
		return nil
	})
	return group.Wait()
}

// serve runs one handler: the only place where errors become answers and requests are counted.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, route string, do handler) {
	began := time.Now()
	r, step := s.traced(r, route)
	counted := &countedWriter{ResponseWriter: w, status: http.StatusOK}
	counted.Header().Set("X-Content-Type-Options", "nosniff")
	counted.Header().Set("Cache-Control", "no-store")
	if r.ContentLength != 0 {
		limitBody(w, began.Add(bodyTimeout))
	}
	err := s.crossing.Check(r)
	if err != nil {
		s.metrics.refused.WithLabelValues("cross_origin").Inc()
		err = fsm.Errorf(fsm.CodeForbidden, "a web page of another site may not ask for this")
	} else {
		err = do(counted, r)
	}
	if err != nil && !counted.wrote {
		s.replyError(counted, r, err)
	}
	s.metrics.count(route, r.Method, counted.status, time.Since(began))
	answered(step, counted.status, err)
}
