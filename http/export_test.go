package httpd

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

// TakeAtMost bounds the backups a server takes.
func (s *Server) TakeAtMost(bytes int64) { s.most = bytes }
