package sidecar

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/refresh"
)

type handler func(http.ResponseWriter, *http.Request) error

// route is a path, and what a request needs to be let in.
type route struct {
	name string // in metrics
	open bool   // without a token
	do   handler
}

// Handler is the sidecar's face without its listener.
func (s *Sidecar) Handler() http.Handler {
	routes := map[string]route{
		refresh.NodePath: {"node", false, s.node},
		"/metrics":       {"metrics", false, func(w http.ResponseWriter, r *http.Request) error { s.scrape.ServeHTTP(w, r); return nil }},
		"/livez":         {"livez", true, func(w http.ResponseWriter, _ *http.Request) error { return health(w, s.asker.live()) }},
		"/readyz": {"readyz", true, func(w http.ResponseWriter, _ *http.Request) error {
			return health(w, errors.Join(s.asker.live(), s.asker.ready()))
		}},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, found := routes[r.URL.Path]
		if !found {
			to = route{name: "none", do: func(_ http.ResponseWriter, r *http.Request) error {
				return fsm.Errorf(fsm.CodeNotFound, "there is no %s; there is %s", r.URL.Path, refresh.NodePath)
			}}
		}
		counted := &countedWriter{ResponseWriter: w, status: http.StatusOK}
		counted.Header().Set("X-Content-Type-Options", "nosniff")
		counted.Header().Set("Cache-Control", "no-cache")
		err := s.admit(r, to)
		if err == nil {
			err = to.do(counted, r)
		}
		if err != nil {
			refuse(counted, r, err)
		}
		s.metrics.requests.WithLabelValues(to.name, strconv.Itoa(counted.status)).Inc()
	})
}

// admit refuses requests that may not be answered.
func (s *Sidecar) admit(r *http.Request, to route) error {
	switch {
	case onLoopback(s.Listener.Addr()) && !local(r.Host):
		return fsm.Errorf(fsm.CodeForbidden, "host %q is not this sidecar, which is bound to loopback", r.Host)
	case r.URL.Query().Has("token"):
		return fsm.Errorf(fsm.CodeInvalid, "a token goes into the header Authorization, never into an address")
	}
	if !to.open && s.TokenFile != "" {
		if err := s.tokens.admit(r); err != nil {
			return err
		}
	}
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return fsm.Errorf(httpd.CodeMethodNotAllowed, "%s does not go with %s; GET and HEAD do", r.Method, r.URL.Path)
	case r.ContentLength != 0:
		return fsm.Errorf(fsm.CodeTooLarge, "the request has a body; none is wanted")
	}
	return nil
}

// node answers for the store.
func (s *Sidecar) node(w http.ResponseWriter, r *http.Request) error {
	a, err := s.asker.fresh(r.Context())
	switch {
	case err != nil:
		return fsm.Errorf(fsm.CodeUnavailable, "%s", err.Error())
	case a.fault != "":
		return fsm.Errorf(fsm.CodeUnavailable, "the store could not be asked: %s: %s", a.fault, a.detail).With("reason", a.fault)
	}
	w.Header().Set("ETag", a.etag)
	if a.lag != "" {
		w.Header().Set(refresh.LagHeader, a.lag)
	}
	if matches(r.Header.Get("If-None-Match"), a.etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	_, _ = w.Write(a.body) // whoever does not take it has gone
	return nil
}

// matches says whether a client has what etag names. Weak and strong tags are the same here.
func matches(header, etag string) bool {
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || tag != "" && strings.TrimPrefix(tag, "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}

func health(w http.ResponseWriter, err error) error {
	if err == nil {
		return reply(w, http.StatusOK, httpd.Readiness{Status: "ok"})
	}
	return reply(w, http.StatusServiceUnavailable,
		httpd.Readiness{Status: "failing", Reasons: strings.Split(err.Error(), "\n")})
}

func reply(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
	return nil
}

var statuses = map[fsm.Code]int{
	fsm.CodeInvalid:            http.StatusBadRequest,
	httpd.CodeUnauthorized:     http.StatusUnauthorized,
	fsm.CodeForbidden:          http.StatusForbidden,
	fsm.CodeNotFound:           http.StatusNotFound,
	httpd.CodeMethodNotAllowed: http.StatusMethodNotAllowed,
	fsm.CodeTooLarge:           http.StatusRequestEntityTooLarge,
	fsm.CodeUnavailable:        http.StatusServiceUnavailable,
}

// refuse answers with an error as the API's are. Whoever was not let in, and whoever sent a body, is disconnected.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	known, ok := errors.AsType[*fsm.Error](err)
	if !ok {
		known = fsm.Errorf(httpd.CodeInternal, "an internal fault")
	}
	status := statuses[known.Code]
	switch status {
	case 0:
		status = http.StatusInternalServerError
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", "GET, HEAD")
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(headerTimeout))
	}
	if r.ContentLength != 0 || status != http.StatusServiceUnavailable {
		w.Header().Set("Connection", "close")
	}
	_ = reply(w, status, struct {
		Error *fsm.Error `json:"error"`
	}{known})
}

// countedWriter remembers the status of an answer.
type countedWriter struct {
	http.ResponseWriter
	status int
}

func (w *countedWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
