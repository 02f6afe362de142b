package httpd

import (
	"maps"
	"net/http"
	"net/http/pprof"

	"github.com/musterhq/muster/fsm"
)

// debugRoutes are about what goes on inside the peer that is asked.
func (s *Server) debugRoutes() map[string]methods {
	routes := map[string]methods{
		"/v1/agent/monitor":       {"GET": {s.monitor, []string{"level", "format"}, fsm.MayOperate}},
		"/v1/agent/configuration": {"GET": {s.showConfiguration, nil, fsm.MayOperate}},
		"/v1/agent/host":          {"GET": {s.showHost, nil, fsm.MayRead}},
	}
	if s.Debug || s.ACL {
		maps.Copy(routes, profileRoutes())
	}
	return routes
}

// profileRoutes are the profiles of this process, as package net/http/pprof makes them. They tell of the process's memory and
// may load it, so they are served only where Config.Debug asks for them, or who asks shows that it may manage.
func profileRoutes() map[string]methods {
	page := func(do http.HandlerFunc, params ...string) methods {
		return methods{"GET": {func(w http.ResponseWriter, r *http.Request) error {
			do(w, r)
			return nil
		}, params, fsm.MayManage}}
	}
	return map[string]methods{
		"/debug/pprof/":        page(pprof.Index),
		"/debug/pprof/profile": page(pprof.Profile, "seconds"),
		"/debug/pprof/trace":   page(pprof.Trace, "seconds"),
		"/debug/pprof/{name}":  page(pprof.Index, "debug", "gc", "seconds"),
	}
}
