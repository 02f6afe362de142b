package httpd

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/musterhq/muster/fsm"
)

// Codes that only the HTTP face knows, beside those of fsm.
const (
	CodeUnauthorized     fsm.Code = "unauthorized"
	CodeMethodNotAllowed fsm.Code = "method_not_allowed"
	CodeMediaType        fsm.Code = "unsupported_media_type"
	CodeTooMany          fsm.Code = "too_many_requests"
	CodeInternal         fsm.Code = "internal"
	CodeDiskFull         fsm.Code = "disk_full"
)

// statuses is the one table from code to status.
var statuses = map[fsm.Code]int{
	fsm.CodeInvalid:      http.StatusBadRequest,
	CodeUnauthorized:     http.StatusUnauthorized,
	fsm.CodeForbidden:    http.StatusForbidden,
	fsm.CodeNotFound:     http.StatusNotFound,
	CodeMethodNotAllowed: http.StatusMethodNotAllowed,
	fsm.CodeConflict:     http.StatusConflict,
	fsm.CodeClaimed:      http.StatusConflict,
	fsm.CodeStale:        http.StatusConflict,
	fsm.CodeGone:         http.StatusGone,
	fsm.CodeCAS:          http.StatusPreconditionFailed,
	fsm.CodeTooLarge:     http.StatusRequestEntityTooLarge,
	CodeMediaType:        http.StatusUnsupportedMediaType,
	CodeTooMany:          http.StatusTooManyRequests,
	CodeInternal:         http.StatusInternalServerError,
	fsm.CodeUnavailable:  http.StatusServiceUnavailable,
	fsm.CodeUnknown:      http.StatusServiceUnavailable,
	CodeDiskFull:         http.StatusInsufficientStorage,
}

// errorBody is the JSON of an error.
type errorBody struct {
	Error errorDetail `json:"error"`
}

type errorDetail struct {
	Code    fsm.Code          `json:"code"`
	Message string            `json:"message"`
	Fields  map[string]string `json:"fields,omitempty"`
	Outcome string            `json:"outcome,omitempty"` // "unknown": it may or may not have been done
	Claim   *ClaimRow         `json:"claim,omitempty"`
}

// claimedError is a conflict with an open claim, which it carries.
type claimedError struct {
	refusal *fsm.Error
	claim   ClaimRow
}

func (e *claimedError) Error() string { return e.refusal.Message }
func (e *claimedError) Unwrap() error { return e.refusal }

// detailOf says how an error is told, and under which status. What is no *fsm.Error is an internal fault: its text is
// for the log, not for the client.
func detailOf(err error) (int, errorDetail) {
	var known *fsm.Error
	switch {
	case errors.As(err, &known):
	case errors.Is(err, context.DeadlineExceeded):
		known = fsm.Errorf(fsm.CodeUnavailable, "it took too long; try again")
	case errors.Is(err, context.Canceled):
		known = fsm.Errorf(fsm.CodeUnavailable, "the request was given up")
	default:
		known = fsm.Errorf(CodeInternal, "an internal fault; the log of the peer tells more")
	}
	status, ok := statuses[known.Code]
	if !ok {
		status = http.StatusInternalServerError
	}
	d := errorDetail{Code: known.Code, Message: known.Message, Fields: known.Fields}
	if known.Code == fsm.CodeUnknown {
		d.Outcome = "unknown"
	}
	if claimed, ok := errors.AsType[*claimedError](err); ok {
		d.Claim = &claimed.claim
	}
	return status, d
}

// replyError writes an error.
func (s *Server) replyError(w http.ResponseWriter, r *http.Request, err error) {
	status, detail := detailOf(err)
	switch {
	case r.Context().Err() != nil:
		s.log.Debug("request given up", "method", r.Method, "path", r.URL.Path)
	case detail.Code == CodeInternal:
		s.log.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="muster"`)
	}
	if status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("X-Muster-KnownLeader", strconv.FormatBool(s.Raft.Leader() != ""))
	}
	w.Header().Del("X-Muster-Next")
	if err := s.reply(w, r, status, errorBody{detail}); err != nil {
		s.log.Debug("error not delivered", "method", r.Method, "path", r.URL.Path, "error", err)
	}
}

// notFound is the error for a path without a route.
func notFound(r *http.Request) error {
	if r.URL.Query().Has("token") {
		return tokenInQuery()
	}
	return fsm.Errorf(fsm.CodeNotFound, "there is no %s", r.URL.Path)
}

// methodNotAllowed is the error for a method that a route does not have.
func methodNotAllowed(r *http.Request, allowed []string) error {
	return fsm.Errorf(CodeMethodNotAllowed, "%s does not go with %s; %s do", r.Method, r.URL.Path, strings.Join(allowed, ", "))
}

func noSuchCluster(name string) error {
	return fsm.Errorf(fsm.CodeNotFound, "there is no cluster %q", name)
}

func noSuchNode(cluster, id string) error {
	return fsm.Errorf(fsm.CodeNotFound, "there is no node %q in cluster %q", id, cluster)
}

func noSuchDiscovery(name string) error {
	return fsm.Errorf(fsm.CodeNotFound, "there is no discovery %q", name)
}
