package httpd

import (
	"net/http"
	"slices"

	"github.com/musterhq/muster/fsm"
)

// Check is one of the things that a peer is judged by.
type Check struct {
	Name string // lower-case words with _ between them
	// Restart says that the process must be started again where it fails; where others do, waiting may help.
	Restart bool
	Err     error // why it fails; nil where it passes
}

const (
	statusOK      = "ok"
	statusFailing = "failing"
)

// livez judges by those checks after which the process must be started again.
func (s *Server) livez(w http.ResponseWriter, r *http.Request) error {
	return s.readiness(w, r, slices.DeleteFunc(s.Life.Checks(), func(c Check) bool { return !c.Restart }))
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	return s.readiness(w, r, s.Life.Checks())
}

// readiness tells whether all checks pass, why those fail that do, and with ?verbose how each went.
func (s *Server) readiness(w http.ResponseWriter, r *http.Request, checks []Check) error {
	verbose, err := flag(r.URL.Query(), "verbose")
	if err != nil {
		return err
	}
	out, code := Readiness{Status: statusOK, Warnings: s.warnings(r)}, http.StatusOK
	for _, c := range checks {
		row := CheckRow{Name: c.Name, Status: statusOK}
		if c.Err != nil {
			out.Status, code = statusFailing, http.StatusServiceUnavailable
			out.Reasons = append(out.Reasons, c.Err.Error())
			row.Status, row.Reason = statusFailing, c.Err.Error()
		}
		if verbose {
			out.Checks = append(out.Checks, row)
		}
	}
	return s.reply(w, r, code, out)
}

// warnings are told to who may read: they name files, and peers at which nobody needs a token. Who only asks whether the peer is well
// shows none, which is no refusal.
func (s *Server) warnings(r *http.Request) []string {
	if s.ACL {
		if secret, err := secretOf(r); err != nil || secret == "" {
			return nil
		}
		if _, err := s.admit(r, fsm.MayRead); err != nil {
			return nil
		}
	}
	return s.Life.Warnings()
}
