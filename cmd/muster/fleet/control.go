package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net"
	"net/http"
	"time"

	"github.com/musterhq/muster/fsm"
)

const (
	maxAction    = 64 << 10 // bytes of a body
	goodbyeAfter = 2 * time.Second
)

// actor is what the control endpoint controls: a fleet, or in a child its share.
type actor interface {
	Act(ctx context.Context, v Verb, a Action) (Cluster, error)
	Cluster(ctx context.Context, name string) (Cluster, error)
	Counts(ctx context.Context) (Counts, error)
}

// serveControl serves until ctx ends.
func serveControl(ctx context.Context, l net.Listener, a actor) error {
	server := &http.Server{
		Handler: controlRoutes(a), ReadTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10,
		IdleTimeout: time.Minute, BaseContext: func(net.Listener) context.Context { return ctx },
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeAfter)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close()
		}
	})
	err := server.Serve(l)
	if !stop() {
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func controlRoutes(a actor) http.Handler {
	routes := http.NewServeMux()
	routes.Handle("GET /v1/fleet", handler(func(r *http.Request) (any, error) {
		return a.Counts(r.Context())
	}))
	routes.Handle("GET /v1/fleet/cluster/{name}", handler(func(r *http.Request) (any, error) {
		return a.Cluster(r.Context(), r.PathValue("name"))
	}))
	routes.Handle("POST /v1/fleet/{verb}", handler(func(r *http.Request) (any, error) {
		action, err := readAction(r)
		if err != nil {
			return nil, err
		}
		return a.Act(r.Context(), Verb(r.PathValue("verb")), action)
	}))
	return routes
}

// readAction wants the type said: a page in somebody's browser can post to loopback, but not with this type.
func readAction(r *http.Request) (Action, error) {
	var a Action
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return a, fsm.Invalid("Content-Type", "application/json is wanted")
	}
	body := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxAction))
	body.DisallowUnknownFields()
	if err := body.Decode(&a); err != nil {
		return a, fsm.Errorf(fsm.CodeInvalid, "the body is no action: %v", err)
	}
	return a, nil
}

type handler func(r *http.Request) (any, error)

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	value, err := h(r)
	status := http.StatusOK
	if err != nil {
		failure := asError(err)
		status, value = statusOf(failure.Code), map[string]any{"error": failure}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// Who asked may have gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(value)
}

func asError(err error) *fsm.Error {
	if failure, ok := errors.AsType[*fsm.Error](err); ok {
		return failure
	}
	return fsm.Errorf(fsm.CodeUnavailable, "%v", err)
}

func statusOf(code fsm.Code) int {
	switch code {
	case fsm.CodeInvalid:
		return http.StatusBadRequest
	case fsm.CodeNotFound:
		return http.StatusNotFound
	case fsm.CodeConflict:
		return http.StatusConflict
	default:
		return http.StatusServiceUnavailable
	}
}
