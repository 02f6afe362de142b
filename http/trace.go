package httpd

import (
	"context"
	"net/http"
	"slices"
)

// Tracer follows requests. None of its methods waits for anything.
type Tracer interface {
	// Request begins the answer to a request, as a part of what its headers name.
	Request(ctx context.Context, h http.Header, name string) (context.Context, Step)
}

// Step is something that takes time, until its End. Its errors and values are no secrets.
type Step = interface {
	Set(key, value string)
	Count(key string, n int)
	End(err error)
}

// untraced are what machines ask for all the time.
var untraced = []string{"/livez", "/readyz", "/metrics"}

// idle is a step that nobody follows.
type idle struct{}

func (idle) Set(string, string) {}
func (idle) Count(string, int)  {}
func (idle) End(error)          {}

// traced begins the answer to a request.
func (s *Server) traced(r *http.Request, route string) (*http.Request, Step) {
	if s.Tracer == nil || slices.Contains(untraced, route) {
		return r, idle{}
	}
	method := knownMethod(r.Method)
	ctx, step := s.Tracer.Request(r.Context(), r.Header, method+" "+route)
	if ctx == r.Context() {
		return r, step
	}
	step.Set("http.request.method", method)
	step.Set("http.route", route)
	return r.WithContext(ctx), step
}

// answered ends the step of an answer. Only what the server could not do is an error of its own.
func answered(step Step, status int, err error) {
	step.Count("http.response.status_code", status)
	if status < http.StatusInternalServerError {
		err = nil
	}
	step.End(err)
}
