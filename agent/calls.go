package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/musterhq/muster/agent/bootstrap"
	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/agent/peerport"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// The routes of peer-HTTP.
const (
	pathPropose = "/propose"
	pathPromise = "/promise"
	pathHear    = "/hear"
)

const (
	maxCall  = 1 << 20          // bytes of a request between peers
	callWait = 10 * time.Second // where the caller set nothing shorter
)

// leaderCall is a question that only the leader answers: called on any peer it goes there in one hop.
type leaderCall[Q, A any] struct {
	path  string
	do    func(t *term, ctx context.Context, q Q) (A, error) // a method expression
	reads bool                                               // changes nothing, so that it may be asked again whatever came of it
	wait  time.Duration                                      // where the caller set nothing shorter; 0 is callWait
}

// The calls; handler serves each on its path.
var (
	callIndex    = leaderCall[nothing, uint64]{"/index", (*term).index, true, 0}
	callJoin     = leaderCall[joinRequest, nothing]{"/join", (*term).join, false, 0}
	callLeave    = leaderCall[leaveRequest, nothing]{"/leave", (*term).leave, false, 0}
	callTransfer = leaderCall[transferRequest, nothing]{"/transfer", (*term).transfer, false, 0}
	callAsk      = leaderCall[askRequest, fsm.Result]{"/ask", (*term).ask, false, 0}
	callRaft     = leaderCall[nothing, httpd.RaftConfiguration]{"/raft", (*term).servers, true, 0}
)

type nothing struct{}

// call asks the leader, trying again while there is none, until ctx ends or its wait is over.
func (c leaderCall[Q, A]) call(ctx context.Context, a *Agent, q Q) (A, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.wait, callWait))
	defer cancel()
	for {
		answer, err := c.once(ctx, a, q)
		if err == nil {
			return answer, nil
		}
		if classify(err) == unknown && !c.reads || !life.Pause(ctx, proposePause) {
			return answer, apiError(err)
		}
	}
}

func (c leaderCall[Q, A]) once(ctx context.Context, a *Agent, q Q) (A, error) {
	var answer A
	if t := a.term.Load(); t != nil {
		return c.do(t, ctx, q)
	}
	id := a.leaders.ID()
	if id == "" || id == a.id {
		return answer, consensus.ErrNotLeading
	}
	err := exchange(ctx, a.askLeader, peerport.Request{Peer: id, Path: c.path}, q, &answer)
	return answer, err
}

// ask sends one request to a peer and reads its answer; an error of that peer comes back as it was.
func (a *Agent) ask(ctx context.Context, peer, path string, q, answer any) error {
	return exchange(ctx, a.port.Client().Do, peerport.Request{Peer: peer, Path: path}, q, answer)
}

// sender is a way to another peer: Client.Do, or askLeader.
type sender func(ctx context.Context, r peerport.Request) ([]byte, error)

func exchange(ctx context.Context, send sender, r peerport.Request, q, answer any) error {
	body, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("encode %s: %w", r.Path, err)
	}
	r.Method, r.Body = http.MethodPost, body
	raw, err := send(ctx, r)
	if status, ok := errors.AsType[*peerport.StatusError](err); ok {
		return remoteError(status)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, answer)
}

// remoteError is the error another peer answered with.
func remoteError(status *peerport.StatusError) error {
	if status.Status == http.StatusServiceUnavailable {
		return errRemoteNotLeading
	}
	var e fsm.Error
	if json.Unmarshal(status.Body, &e) == nil && e.Code != "" {
		return &e
	}
	return status
}

func (c leaderCall[Q, A]) serve(a *Agent) http.Handler {
	return answering(func(ctx context.Context, q Q) (A, error) {
		t := a.term.Load()
		if t == nil {
			var none A
			return none, consensus.ErrNotLeading
		}
		return c.do(t, ctx, q)
	})
}

// answering is a handler that reads a question and writes the answer, or the error with its class.
func answering[Q, A any](do func(context.Context, Q) (A, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q Q
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxCall)).Decode(&q); err != nil {
			writeError(w, fsm.Errorf(fsm.CodeInvalid, "%s: %s", r.URL.Path, err))
			return
		}
		answer, err := do(r.Context(), q)
		if err != nil {
			writeError(w, err)
			return
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			return // the caller is gone
		}
	})
}

// writeError answers 503 to what surely was not done, so that the caller tries another peer, and 500 with the error else.
func writeError(w http.ResponseWriter, err error) {
	var known *fsm.Error
	if !errors.As(err, &known) && classify(err) == notApplied {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusInternalServerError)
	_ = json.NewEncoder(w).Encode(apiError(err)) // the caller may be gone
}

// handler serves peer-HTTP.
func (a *Agent) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pathPropose, a.servePropose)
	mux.Handle("POST "+pathPromise, answering(a.servePromise))
	mux.Handle("POST "+pathHear, answering(a.serveHear))
	mux.Handle("POST "+pathKeyring, answering(a.serveKeyring))
	mux.HandleFunc("POST "+pathRestore, a.serveRestore)
	mux.Handle("POST "+callKeyring.path, callKeyring.serve(a))
	mux.Handle("POST "+callIndex.path, callIndex.serve(a))
	mux.Handle("POST "+callJoin.path, callJoin.serve(a))
	mux.Handle("POST "+callLeave.path, callLeave.serve(a))
	mux.Handle("POST "+callTransfer.path, callTransfer.serve(a))
	mux.Handle("POST "+callAsk.path, callAsk.serve(a))
	mux.Handle("POST "+callRaft.path, callRaft.serve(a))
	return mux
}

// servePropose takes another peer's commands: frames in, results out. It never sends them on.
func (a *Agent) servePropose(w http.ResponseWriter, r *http.Request) {
	frames, err := io.ReadAll(http.MaxBytesReader(w, r.Body, fsm.MaxEntry))
	if err != nil {
		writeError(w, fsm.Errorf(fsm.CodeTooLarge, "propose: %s", err))
		return
	}
	commands, err := fsm.DecodeFrames(frames)
	if err != nil || len(commands) == 0 {
		writeError(w, fsm.Errorf(fsm.CodeInvalid, "propose: %d commands, %v", len(commands), err))
		return
	}
	t := a.term.Load()
	if t == nil {
		writeError(w, consensus.ErrNotLeading)
		return
	}
	if err := t.room(commands...); err != nil {
		writeError(w, err)
		return
	}
	results, err := t.propose(r.Context(), frames, len(commands), fsm.Unhurried(commands[0]))
	if err != nil {
		writeError(w, err)
		return
	}
	_, _ = w.Write(fsm.EncodeResults(results)) // the caller may be gone: then it asks again
}

func (a *Agent) serveHear(ctx context.Context, w word) (nothing, error) {
	if caller, ok := peerport.CallerOf(ctx); !ok || caller.ID != w.Peer.ID {
		return nothing{}, fsm.Errorf(fsm.CodeForbidden, "a word of %s sent by %s", w.Peer.ID, caller.ID)
	}
	t := a.term.Load()
	if t == nil {
		return nothing{}, consensus.ErrNotLeading
	}
	if err := t.knows(ctx, w); err != nil {
		return nothing{}, err
	}
	t.hearing.hear(w)
	return nothing{}, nil
}

func (a *Agent) servePromise(ctx context.Context, o bootstrap.Offer) (bootstrap.Answer, error) {
	if caller, ok := peerport.CallerOf(ctx); !ok || caller.ID != o.From {
		return bootstrap.Answer{}, fsm.Errorf(fsm.CodeForbidden, "a promise of %s sent by %s", o.From, caller.ID)
	}
	if a.founder == nil {
		return bootstrap.Answer{}, fsm.Errorf(fsm.CodeConflict, "this peer founds no group")
	}
	return a.founder.Receive(ctx, o)
}

// Promise carries an offer to the peer it is for.
func (a *Agent) Promise(ctx context.Context, to string, o bootstrap.Offer) (bootstrap.Answer, error) {
	var answer bootstrap.Answer
	err := a.ask(ctx, to, pathPromise, o, &answer)
	return answer, err
}
