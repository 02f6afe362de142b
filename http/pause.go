package httpd

import (
	"net/http"

	"github.com/musterhq/muster/fsm"
)

// NewPause is a pause of all scheduling that is asked for: for how long from now, or until when.
type NewPause struct {
	For    fsm.Duration `json:"for,omitzero"`
	Until  fsm.Time     `json:"until,omitzero"`
	Reason string       `json:"reason,omitempty"` // for other operators
}

// Paused answers a pause.
type Paused struct {
	Index uint64    `json:"index"`
	Pause fsm.Pause `json:"pause"`
}

// pause stops all scheduling for a while. The same again changes nothing; another one changes how long and why.
func (s *Server) pause(w http.ResponseWriter, r *http.Request) error {
	var body NewPause
	if err := readBody(w, r, &body); err != nil {
		return err
	}
	if (body.For == 0) == (body.Until == 0) {
		return fsm.Invalid("for", "say for how long from now, like 30m, or until when; one of the two")
	}
	p, now := fsm.Pause{Until: body.Until, Reason: body.Reason}, s.Clock.Now()
	if body.For != 0 {
		if body.For > fsm.MaxPause {
			return fsm.Invalid("for", "%s is longer than %s", body.For, fsm.MaxPause)
		}
		p.Until = now.Add(body.For)
	}
	if err := p.Validate(now); err != nil {
		return err
	}
	res, err := s.propose(r.Context(), &fsm.SchedulePause{Pause: p, Cause: causeOf(r)})
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, Paused{Index: res.Index, Pause: p})
}

// resume ends the pause.
func (s *Server) resume(w http.ResponseWriter, r *http.Request) error {
	g, err := s.look(r.Context())
	if err != nil {
		return err
	}
	if g.Settings().Pause == nil {
		return s.reply(w, r, http.StatusOK, Ack{Index: g.Settings().Index})
	}
	res, err := s.propose(r.Context(), &fsm.ScheduleResume{Cause: causeOf(r)})
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, Ack{Index: res.Index, Changed: true})
}
