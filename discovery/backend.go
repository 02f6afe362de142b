package discovery

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"slices"

	"github.com/musterhq/muster/fsm"
)

// Limits on what one source may list; beyond them a read fails.
const (
	MaxRecords = 200_000
	MaxNames   = 1024 // names worth nudging a read with; more are better served by a full read
)

// Backend reads one place where clusters are listed. It is safe for concurrent use.
//
// Read gives the whole of what was wanted or an error, never a part, and returns soon after ctx ends. The records are the
// caller's to keep and change, their maps and lists to keep only: records may share them. A backend that holds connections or
// shares of them is also an io.Closer.
type Backend interface {
	Read(ctx context.Context, want Want) ([]fsm.Record, error)
}

// Want says what to read: everything, or, when Names holds any, only what a nudge named (services, files), past every
// cache. A name that the source no longer lists, or that the backend's settings do not select, gives nothing and is no
// error.
type Want struct {
	Names []string
}

// Full says whether everything is wanted.
func (w Want) Full() bool { return len(w.Names) == 0 }

// Watcher is a Backend that notices changes. Watch calls nudge, from one goroutine at a time, with the sorted names of
// what moved; it begins with everything the backend selects, since what moved before it began is not known. Watch copes
// with failures by itself and returns only when ctx ends, with its error, and all it started has ended then. What nudge
// is given is its own to keep.
type Watcher interface {
	Watch(ctx context.Context, nudge func(names []string)) error
}

// Env is what a backend gets from the peer it runs on. Dial, when set, replaces the network's own dialer.
type Env struct {
	Log  *slog.Logger
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Logger is Log, or one that discards.
func (e Env) Logger() *slog.Logger {
	if e.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return e.Log
}

// Maker makes a backend from its config. It validates and allocates, and touches neither disk nor network; what is wrong
// with config is an fsm error that names the field, as in "config.services".
type Maker func(config fsm.JSON, env Env) (Backend, error)

// Backends are the makers by the name that settings use. The agent composes them.
type Backends map[string]Maker

// Make makes the backend of a spec.
func (b Backends) Make(spec fsm.Spec, env Env) (Backend, error) {
	maker, ok := b[spec.Backend]
	if !ok {
		names := slices.Sorted(maps.Keys(b))
		return nil, fsm.Invalid("backend", "%q is none of %q%s", spec.Backend, names, DidYouMean(spec.Backend, names))
	}
	return maker(spec.Config, env)
}
