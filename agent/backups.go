package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/musterhq/muster/agent/backup"
	"github.com/musterhq/muster/agent/consensus"
	"github.com/musterhq/muster/agent/peerport"
	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// backupsFace is this peer's backups as package httpd sees them.
type backupsFace struct{ *Agent }

// pathRestore takes a backup to the leader; the query holds the cause.
const pathRestore = "/restore"

// pieceWait is how long the next piece of a backup may take from peer to peer.
const pieceWait = 30 * time.Second

// Write is httpd.Backups'.
func (backupsFace) Write(to io.Writer, r *fsm.Reader) error { return backup.Write(to, r) }

// Restore is httpd.Backups': the leader restores, any other peer passes the backup on to it as it comes.
func (f backupsFace) Restore(ctx context.Context, from io.Reader, cause fsm.Cause) (httpd.Restored, error) {
	whole := &arriving{from: from}
	out, err := f.restoreAnywhere(ctx, whole, cause)
	switch {
	case err == nil:
		return out, nil
	case whole.err != nil: // nobody can have had all of it
		return out, notArrived(whole.err)
	}
	return out, apiError(err)
}

func (a *Agent) restoreAnywhere(ctx context.Context, from io.Reader, cause fsm.Cause) (httpd.Restored, error) {
	if a.term.Load() != nil {
		return a.restore(ctx, from, cause)
	}
	id := a.leaders.ID()
	if id == "" || id == a.id {
		return httpd.Restored{}, consensus.ErrNotLeading
	}
	return a.passOn(ctx, id, from, cause)
}

// passOn sends a backup to the leader.
func (a *Agent) passOn(ctx context.Context, leader string, from io.Reader, cause fsm.Cause) (out httpd.Restored, err error) {
	by, err := json.Marshal(cause)
	if err != nil {
		return out, err
	}
	to := &url.URL{Scheme: "http", Host: leader, Path: pathRestore, RawQuery: url.Values{"cause": {string(by)}}.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), from)
	if err != nil {
		return out, err
	}
	res, err := a.port.Client().RoundTrip(req)
	if err != nil {
		return out, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxCall))
	if err != nil {
		return out, fmt.Errorf("answer of the leader: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return out, remoteError(&peerport.StatusError{
			Peer: leader, Method: req.Method, Path: pathRestore, Status: res.StatusCode, Body: raw,
		})
	}
	err = json.Unmarshal(raw, &out)
	return out, err
}

// serveRestore takes a backup that another peer passes on.
func (a *Agent) serveRestore(w http.ResponseWriter, r *http.Request) {
	var cause fsm.Cause
	if err := json.Unmarshal([]byte(r.URL.Query().Get("cause")), &cause); err != nil {
		writeError(w, fsm.Errorf(fsm.CodeInvalid, "%s: %s", pathRestore, err))
		return
	}
	if a.term.Load() == nil {
		writeError(w, consensus.ErrNotLeading)
		return
	}
	whole := &arriving{from: r.Body, conn: http.NewResponseController(w)}
	out, err := a.restore(r.Context(), whole, cause)
	switch {
	case err == nil:
		_ = json.NewEncoder(w).Encode(out) // the caller may be gone
	case whole.err != nil:
		writeError(w, notArrived(whole.err))
	default:
		writeError(w, err)
	}
}

// arriving is a backup on its way: it keeps why it broke off, and where it comes from another peer each piece has its time.
type arriving struct {
	from io.Reader
	conn *http.ResponseController // nil: somebody else sees to the time
	err  error
}

func (w *arriving) Read(p []byte) (int, error) {
	n, err := w.from.Read(p)
	if w.conn != nil {
		// After the read: the port sets a time for the whole body at the first one.
		_ = w.conn.SetReadDeadline(time.Now().Add(pieceWait))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}

// notArrived is the error for a backup that did not come whole. One that is too large is told by the face, which knows how
// much it takes.
func notArrived(err error) error {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return err
	}
	return fsm.Errorf(fsm.CodeInvalid, "the backup did not arrive whole, nothing was done: %s", err)
}

// keepBackups saves backups in a directory of this peer while it leads, if it is told to. One under way outlasts a reload that
// leaves the backups as they are.
func (t *term) keepBackups(ctx context.Context) error {
	return t.agent.whileLive(ctx, theBackups, func(ctx context.Context, now *live) error {
		k := now.backups
		if k == nil {
			return nil
		}
		k.Log = t.agent.log
		k.Write = func(_ context.Context, to io.Writer) error { return backup.Write(to, t.agent.machine.Read()) }
		return k.Run(ctx)
	})
}
