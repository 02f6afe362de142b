package httpd

import (
	"net/http"

	"github.com/musterhq/muster/fsm"
)

// putSettings replaces the group's settings; what is left out is its default. The index that answers carry may be sent
// back and says nothing. So may the pause, but no other: it has a path of its own.
func (s *Server) putSettings(w http.ResponseWriter, r *http.Request) error {
	cas, err := parseCAS(r.URL.Query())
	if err != nil {
		return err
	}
	next := fsm.DefaultSettings()
	if err := readBody(w, r, &next); err != nil {
		return err
	}
	if err := next.Validate(); err != nil {
		return err
	}
	g, err := s.look(r.Context())
	if err != nil {
		return err
	}
	now := g.Settings()
	if next.Pause != nil && (now.Pause == nil || *next.Pause != *now.Pause) {
		return fsm.Invalid("pause", "is not as it is now, and is not set here: PUT or DELETE /v1/settings/pause")
	}
	if next.Pause = now.Pause; next.Same(*now) {
		return s.reply(w, r, http.StatusOK, Ack{Index: now.Index})
	}
	next.Index, next.Pause = 0, nil
	res, err := s.propose(r.Context(), &fsm.SettingsSet{Settings: next, CAS: cas, Cause: causeOf(r)})
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, Ack{Index: res.Index, Changed: true})
}
