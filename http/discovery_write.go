package httpd

import (
	"encoding/json"
	"net/http"

	"github.com/musterhq/muster/fsm"
)

// DiscoveryBody is what a PUT, or a file of discoveries, may hold: the setting, the name, and what only answers tell, so that
// an answer may be edited and sent back.
type DiscoveryBody struct {
	Name string `json:"name"`
	fsm.Spec
	LastRun  json.RawMessage `json:"last_run"`
	NextRun  json.RawMessage `json:"next_run"`
	Failing  json.RawMessage `json:"failing"`
	Deleting json.RawMessage `json:"deleting"`
	Held     json.RawMessage `json:"held"`
	Index    json.RawMessage `json:"index"`
}

func (s *Server) putDiscovery(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if err := fsm.CheckDiscoveryName("name", name); err != nil {
		return err
	}
	cas, err := parseCAS(r.URL.Query())
	if err != nil {
		return err
	}
	body := DiscoveryBody{Name: name, Spec: fsm.DefaultSpec()}
	if err := readBody(w, r, &body); err != nil {
		return err
	}
	if body.Name != name {
		return fsm.Invalid("name", "is %q in the body and %q in the path", body.Name, name)
	}
	if err := s.Rules.Validate(r.Context(), &body.Spec); err != nil {
		return err
	}
	g, err := s.look(r.Context())
	if err != nil {
		return err
	}
	if d := g.Discovery(name); d != nil && !d.Deleting && d.Spec.Equal(body.Spec) {
		return s.reply(w, r, http.StatusOK, Ack{Index: d.Index})
	}
	res, err := s.propose(r.Context(), &fsm.DiscoveryApply{Name: name, Spec: body.Spec, CAS: cas, Cause: causeOf(r)})
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, Ack{Index: res.Index, Changed: res.Closed})
}

func (s *Server) deleteDiscovery(w http.ResponseWriter, r *http.Request) error {
	cas, err := parseCAS(r.URL.Query())
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	res, err := s.propose(r.Context(), &fsm.DiscoveryDelete{Name: name, CAS: cas, Cause: causeOf(r)})
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, Ack{Index: res.Index, Changed: res.Closed})
}

func (s *Server) runDiscovery(w http.ResponseWriter, r *http.Request) error {
	g, err := s.look(r.Context())
	if err != nil {
		return err
	}
	d := g.Discovery(r.PathValue("name"))
	if d == nil {
		return noSuchDiscovery(r.PathValue("name"))
	}
	return s.askNow(w, r, g, fsm.Subject{Kind: fsm.KindRun, ID: d.ID})
}

func (s *Server) releaseHeld(w http.ResponseWriter, r *http.Request) error {
	var body Release
	if err := readBody(w, r, &body); err != nil {
		return err
	}
	if body.Held == "" {
		return fsm.Invalid("held", "is missing; say the hash of the held set, as the discovery shows it")
	}
	g, err := s.look(r.Context())
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	if d := g.Discovery(name); d != nil && d.Held != nil && d.Held.Released && d.Held.Hash == body.Held {
		return s.reply(w, r, http.StatusOK, Ack{Index: d.Index})
	}
	res, err := s.propose(r.Context(), &fsm.DiscoveryRelease{Name: name, Hash: body.Held, Cause: causeOf(r)})
	if err != nil {
		return err
	}
	return s.reply(w, r, http.StatusOK, Ack{Index: res.Index, Changed: true})
}

func (s *Server) previewStored(w http.ResponseWriter, r *http.Request) error {
	g, err := s.look(r.Context())
	if err != nil {
		return err
	}
	d := g.Discovery(r.PathValue("name"))
	if d == nil {
		return noSuchDiscovery(r.PathValue("name"))
	}
	return s.preview(w, r, d.Name, d.Spec)
}

func (s *Server) previewPosted(w http.ResponseWriter, r *http.Request) error {
	body := PreviewRequest{Spec: fsm.DefaultSpec()}
	if err := readBody(w, r, &body); err != nil {
		return err
	}
	if body.Name != "" {
		if err := fsm.CheckDiscoveryName("name", body.Name); err != nil {
			return err
		}
	}
	if err := s.Rules.Validate(r.Context(), &body.Spec); err != nil {
		return err
	}
	return s.preview(w, r, body.Name, body.Spec)
}

func (s *Server) preview(w http.ResponseWriter, r *http.Request, name string, spec fsm.Spec) error {
	p, err := s.Work.Preview(r.Context(), name, spec)
	if err != nil {
		return err
	}
	p.Added, p.Changed, p.Absent = told(p.Added), told(p.Changed), told(p.Absent)
	return s.reply(w, r, http.StatusOK, p)
}
