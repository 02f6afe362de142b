package httpd

import "github.com/musterhq/muster/fsm"

// PlaceOf and ParseAt are for tests of states that are laborious to bring about.
var (
	PlaceOf = placeOf
	ParseAt = parseAt
)

// What bounds a press and a follower.
const (
	PressSlots   = pressSlots
	PressLine    = pressLine
	FollowAtOnce = followAtOnce
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
