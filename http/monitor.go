package httpd

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/musterhq/muster/fsm"
)

// Journal is what the peer logs, as it happens.
type Journal interface {
	// Watch keeps lines from a level on, as JSON or as text, for one reader, who closes it. CodeTooMany when too many read.
	Watch(level slog.Level, json bool) (Lines, error)
}

// Lines are what one reader has not taken yet, in bounded room: a reader that is slow loses lines, and is told so among them.
type Lines interface {
	More() <-chan struct{} // ready when there is something to take
	// Take is all there is; later lines are kept in the space of a slice that is no longer needed.
	Take(ctx context.Context, space []byte) []byte
	Close()
}

// monitorGap is the least time between two writes to a reader of the log: what comes meanwhile goes out together.
const monitorGap = 25 * time.Millisecond

// monitor streams the lines that the peer asked logs, from now on, until the client goes, its token is good no more, or the peer
// stops.
func (s *Server) monitor(w http.ResponseWriter, r *http.Request) error {
	level, err := logLevel(r.URL.Query().Get("level"))
	if err != nil {
		return err
	}
	asJSON, err := logFormat(r.URL.Query().Get("format"))
	if err != nil {
		return err
	}
	kind := "text/plain; charset=utf-8"
	if asJSON {
		kind = "application/x-ndjson"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Accel-Buffering", "no") // a proxy that waits for more would hold lines back
	if r.Method == http.MethodHead {
		return nil
	}
	lines, err := s.Journal.Watch(level, asJSON)
	if err != nil {
		return err
	}
	defer lines.Close()
	m := &monitoring{Server: s, lines: lines, out: slowWriter{w, http.NewResponseController(w)}, json: asJSON}
	err = m.run(r.Context())
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.metrics.cut.Inc()
	}
	if err != nil {
		s.log.Debug("reader of the log gone", "client", clientAddress(r), "error", err)
	}
	return nil
}

func logLevel(word string) (slog.Level, error) {
	switch strings.ToLower(word) {
	case "debug":
		return slog.LevelDebug, nil
	case "", "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fsm.Invalid("level", "%q is none of debug, info, warn, error", word)
}

func logFormat(word string) (asJSON bool, err error) {
	switch word {
	case "", "text":
		return false, nil
	case "json":
		return true, nil
	}
	return false, fsm.Invalid("format", "%q is neither text nor json", word)
}

// monitoring is one reader of the log.
type monitoring struct {
	*Server
	lines Lines
	out   slowWriter
	space []byte
	json  bool
}

// run writes lines until the reader is gone, which is the error; every other end is told to it.
func (m *monitoring) run(ctx context.Context) error {
	if err := m.out.flush(); err != nil { // so that the client knows that it reads
		return err
	}
	for {
		tokens, err := m.passes(ctx)
		if err != nil {
			return m.end(ctx, err.Error())
		}
		select {
		case <-m.lines.More():
			if err := m.write(ctx); err != nil {
				return err
			}
		case <-tokens.Changed:
		case <-tokens.Abandoned:
		case <-passOf(ctx).lapse(m.Clock.Now()):
		case <-m.stopping:
			return m.end(ctx, "this peer stops")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// passes judges the reader's token, and says what to wait on to judge it again.
func (m *monitoring) passes(ctx context.Context) (fsm.Wait, error) {
	p := passOf(ctx)
	if p == nil {
		return fsm.Wait{}, nil
	}
	reader, _, err := m.Replica.Read(ctx, Stale)
	if err != nil {
		return fsm.Wait{}, err
	}
	return reader.Wait(fsm.SetTokens), p.good(reader, m.Clock.Now())
}

// write writes what there is, and lets more gather before the next write.
func (m *monitoring) write(ctx context.Context) error {
	m.space = m.lines.Take(ctx, m.space)
	if _, err := m.out.Write(m.space); err != nil {
		return err
	}
	if err := m.out.flush(); err != nil {
		return err
	}
	gap := time.NewTimer(monitorGap)
	defer gap.Stop()
	select {
	case <-gap.C:
	case <-m.stopping:
	case <-ctx.Done():
	}
	return nil
}

// end writes what is left, and why nothing more comes, as a line of the log.
func (m *monitoring) end(ctx context.Context, why string) error {
	if err := m.write(ctx); err != nil {
		return err
	}
	last := slog.New(slog.NewTextHandler(m.out, nil))
	if m.json {
		last = slog.New(slog.NewJSONHandler(m.out, nil))
	}
	last.Warn("the peer ends this stream", "reason", why)
	return m.out.flush()
}
