package httpd

import (
	"net/http"
	"slices"

	"github.com/musterhq/muster/fsm"
)

// PlaceOf and ParseAt are for tests of states that are laborious to bring about.
var (
	PlaceOf = placeOf
	ParseAt = parseAt
	LapseIn = lapseIn
)

// What bounds a press, a follower and backups.
const (
	PressSlots   = pressSlots
	PressLine    = pressLine
	FollowAtOnce = followAtOnce
	MaxBackups   = maxBackups
)

// Needs is what each endpoint asks for, by method and path.
func (s *Server) Needs() map[string]fsm.Right {
	out := map[string]fsm.Right{}
	for path, m := range s.routes() {
		for method, e := range m {
			out[method+" "+path] = e.need
		}
	}
	return out
}

// TakeAtMost bounds the backups a server takes.
func (s *Server) TakeAtMost(bytes int64) { s.most = bytes }

// Route is what routes say of an endpoint: its parameters in the query, sorted, and what it needs.
type Route struct {
	Params []string
	Need   string
}

// Routes are all endpoints, by method and path.
func (s *Server) Routes() map[string]Route {
	out := map[string]Route{}
	for path, m := range s.routes() {
		for method, e := range m {
			params := append(slices.Clone(e.params), "pretty")
			slices.Sort(params)
			out[method+" "+path] = Route{Params: params, Need: string(e.need)}
		}
	}
	return out
}

// Description is the document at /v1/openapi.json.
func Description() ([]byte, error) {
	d, err := describeOnce()
	return d.json, err
}

// Trace does for a request all that its tracing takes, and nothing else.
func (s *Server) Trace(r *http.Request) {
	_, step := s.traced(r, "/v1/clusters")
	answered(step, http.StatusServiceUnavailable, http.ErrServerClosed)
}
