package peerport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// The headers by which requests are judged, as raft's streams are by their
// first frame.
const (
	headerPeer     = "X-Muster-Peer" // the id wanted
	headerGroup    = "X-Muster-Group"
	headerFrom     = "X-Muster-From"
	headerInstance = "X-Muster-Instance"
	headerHop      = "X-Muster-Hop"
)

const (
	maxHops        = 1
	maxHeaderBytes = 16 << 10
)

// Caller is who sent a request, by its own word.
type Caller struct {
	ID    string
	Group string // "" for a peer that has none yet
	Hop   int    // how often the request was sent between peers: 1
}

type callerKey struct{}

// CallerOf returns who sent the request that ctx belongs to; false outside of
// Config.Handler.
func CallerOf(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}

// serveHTTP serves peer-HTTP until ctx ends, and then until the last request has
// ended, which its own context tells it to after ShutdownTimeout.
func (p *Port) serveHTTP(ctx context.Context) error {
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var open sync.WaitGroup
	server := &http.Server{
		Handler:           http.HandlerFunc(p.serveRequest),
		ReadHeaderTimeout: p.cfg.HandshakeTimeout,
		IdleTimeout:       p.cfg.IdleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(p.cfg.Log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				open.Add(1)
			case http.StateHijacked, http.StateClosed:
				open.Done()
			}
		},
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(p.web) }()

	<-ctx.Done()
	grace, release := context.WithTimeout(requests, p.cfg.ShutdownTimeout)
	defer release()
	if err := server.Shutdown(grace); err != nil {
		p.cfg.Log.Info("peer requests cancelled at shutdown", slog.Any("error", err))
	}
	cancel()
	err := <-served
	_ = server.Close() // also what was accepted while Shutdown looked
	open.Wait()
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve peer requests: %w", err)
	}
	return nil
}

// serveRequest lets through to the handler only what is meant for this peer.
func (p *Port) serveRequest(w http.ResponseWriter, r *http.Request) {
	p.limitBody(w, r)
	h := hello{
		group: r.Header.Get(headerGroup), from: r.Header.Get(headerFrom),
		to: r.Header.Get(headerPeer), instance: r.Header.Get(headerInstance),
	}
	if reason := p.judge(h); reason != accepted && (reason != NotMember || !slices.Contains(p.cfg.Open, r.URL.Path)) {
		p.refuseRequest(w, r, h, reason)
		return
	}
	hop, err := strconv.Atoi(r.Header.Get(headerHop))
	if err != nil || hop < 1 {
		p.refuseRequest(w, r, h, Malformed)
		return
	}
	if hop > maxHops {
		p.refusals.add(refusedHopLimit, slog.String("peer", h.from), slog.String("path", r.URL.Path))
		writeError(w, http.StatusLoopDetected, refusal{Code: refusedHopLimit, Message: ErrHopLimit.Error()})
		return
	}
	caller := Caller{ID: h.from, Group: h.group, Hop: hop}
	p.cfg.Handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, caller)))
}

// refusal is the error of a refused request, in the shape of all of muster's.
type refusal struct {
	Code    string        `json:"code"`
	Message string        `json:"message"`
	Fields  refusalFields `json:"fields"`
}

type refusalFields struct {
	Peer  string `json:"peer,omitempty"`
	Group string `json:"group,omitempty"`
}

type refusalBody struct {
	Error refusal `json:"error"`
}

// refuseRequest also ends the connection: the next one may find the right peer.
func (p *Port) refuseRequest(w http.ResponseWriter, r *http.Request, h hello, reason Reason) {
	p.refusals.add(reason.String(), slog.String("remote", r.RemoteAddr), slog.String("peer", h.from),
		slog.String("group", h.group), slog.String("wanted", h.to))
	refused := RefusedError{
		Reason: reason, From: h.from, Group: h.group, To: h.to, Peer: p.cfg.ID, PeerGroup: p.cfg.Group(),
	}
	w.Header().Set("Connection", "close")
	writeError(w, http.StatusMisdirectedRequest, refusal{
		Code: reason.String(), Message: refused.Error(),
		Fields: refusalFields{Peer: refused.Peer, Group: refused.PeerGroup},
	})
}

func writeError(w http.ResponseWriter, status int, e refusal) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(refusalBody{Error: e}) // the caller has gone, then
}

// limitBody sets until when a request's body may take to arrive, also one that nobody reads and net/http throws away. Once
// the body is there net/http takes the deadline back, so that a handler may work longer.
func (p *Port) limitBody(w http.ResponseWriter, r *http.Request) {
	if r.Body != http.NoBody {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(p.cfg.BodyTimeout)) // it is closed already, then
	}
}
