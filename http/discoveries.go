package httpd

import (
	"net/http"

	"github.com/musterhq/muster/fsm"
)

func (s *Server) listDiscoveries(w http.ResponseWriter, r *http.Request) error {
	return readPage(s, w, r, fsm.SetDiscoveries, func(g glance, l listing) (source[*fsm.Discovery, DiscoveryRow], error) {
		return source[*fsm.Discovery, DiscoveryRow]{
			items: g.Discoveries(l.after),
			key:   func(d *fsm.Discovery) string { return d.Name },
			row:   func(d *fsm.Discovery) DiscoveryRow { return g.discoveryRow(d, false) },
		}, nil
	})
}

func (s *Server) showDiscovery(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	return s.read(w, r, []fsm.Set{fsm.SetDiscoveries}, func(g glance) (any, error) {
		d := g.Discovery(name)
		if d == nil {
			return nil, noSuchDiscovery(name)
		}
		return g.discoveryRow(d, true), nil
	})
}
