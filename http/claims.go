package httpd

import (
	"fmt"
	"net/http"

	"github.com/musterhq/muster/fsm"
)

// listClaims lists the open claims, runs before refreshes. Their keys are of this list alone.
func (s *Server) listClaims(w http.ResponseWriter, r *http.Request) error {
	return readPage(s, w, r, fsm.SetClaims, func(g glance, l listing) (source[*fsm.Claim, ClaimRow], error) {
		key := func(c *fsm.Claim) string { return fmt.Sprintf("%d-%020d", c.Subject.Kind, c.Subject.ID) }
		return source[*fsm.Claim, ClaimRow]{
			items: skipTo(g.Claims(), key, l.after), key: key, row: g.claimRow,
		}, nil
	})
}

func (s *Server) showSettings(w http.ResponseWriter, r *http.Request) error {
	return s.read(w, r, []fsm.Set{fsm.SetSettings}, func(g glance) (any, error) { return g.Settings(), nil })
}
