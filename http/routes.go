package httpd

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"
)

// handler answers one request: parse and validate, one call, encode. Its error becomes the answer.
type handler func(w http.ResponseWriter, r *http.Request) error

// endpoint is a handler and the query parameters it takes.
type endpoint struct {
	do     handler
	params []string
}

// methods are the endpoints of one path. HEAD goes where GET does.
type methods map[string]endpoint

func (m methods) allowed() []string {
	names := slices.Collect(maps.Keys(m))
	if _, ok := m[http.MethodGet]; ok {
		names = append(names, http.MethodHead)
	}
	slices.Sort(names)
	return names
}

func (m methods) of(method string) (endpoint, bool) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	e, ok := m[method]
	return e, ok
}

// routes is the whole face.
func (s *Server) routes() map[string]methods {
	all := map[string]methods{}
	for _, part := range []map[string]methods{s.fleetRoutes(), s.workRoutes(), s.groupRoutes()} {
		maps.Copy(all, part)
	}
	if s.Debug {
		maps.Copy(all, debugRoutes())
	}
	return all
}

// fleetRoutes are about what is observed.
func (s *Server) fleetRoutes() map[string]methods {
	return map[string]methods{
		"/v1/clusters": {"GET": {s.listClusters, listParams}},
		"/v1/cluster/{name}": {
			"GET": {s.showCluster, append([]string{"at"}, readParams...)}, "PATCH": {s.patchCluster, casParam}, "DELETE": {s.deleteCluster, casParam},
		},
		"/v1/cluster/{name}/nodes":   {"GET": {s.listClusterNodes, listParams}},
		"/v1/cluster/{name}/shards":  {"GET": {s.listShards, listParams}},
		"/v1/cluster/{name}/history": {"GET": {s.clusterHistory, readParams}},
		"/v1/cluster/{name}/events":  {"GET": {s.listClusterEvents, slices.Concat(eventParams, readParams)}},
		"/v1/cluster/{name}/effective": {
			"GET": {s.showEffective, append([]string{"node"}, readParams...)},
		},
		"/v1/cluster/{name}/node/{id}": {"GET": {s.showNode, readParams}, "PATCH": {s.patchNode, casParam}},
		"/v1/nodes":                    {"GET": {s.listNodes, listParams}},
		"/v1/nodes/transition":         {"POST": {s.transition, nil}},
		"/v1/events":                   {"GET": {s.listEvents, slices.Concat(eventParams, readParams)}},
		"/v1/events/follow":            {"GET": {s.follow, slices.DeleteFunc(slices.Clone(eventParams), isLimit)}},
		"/v1/sd/prometheus":            {"GET": {s.prometheusTargets, []string{"consistent", "stale"}}},
	}
}

func isLimit(name string) bool { return name == "limit" }

// workRoutes are about discoveries and work that is wanted now.
func (s *Server) workRoutes() map[string]methods {
	return map[string]methods{
		"/v1/discoveries":         {"GET": {s.listDiscoveries, listParams}},
		"/v1/discoveries/preview": {"POST": {s.previewPosted, nil}},
		"/v1/discovery/{name}": {
			"GET": {s.showDiscovery, readParams}, "PUT": {s.putDiscovery, casParam}, "DELETE": {s.deleteDiscovery, casParam},
		},
		"/v1/discovery/{name}/history": {"GET": {s.discoveryHistory, readParams}},
		"/v1/discovery/{name}/run":     {"POST": {s.runDiscovery, nil}},
		"/v1/discovery/{name}/preview": {"POST": {s.previewStored, nil}},
		"/v1/discovery/{name}/release": {"POST": {s.releaseHeld, nil}},
		"/v1/cluster/{name}/refresh":   {"POST": {s.refreshCluster, nil}},
		"/v1/cluster/{name}/live":      {"GET": {s.liveCluster, nil}},
		"/v1/claims":                   {"GET": {s.listClaims, listParams}},
	}
}

// groupRoutes are about the peers and the group.
func (s *Server) groupRoutes() map[string]methods {
	routes := map[string]methods{
		"/v1/settings":                      {"GET": {s.showSettings, readParams}, "PUT": {s.putSettings, casParam}},
		"/v1/status/leader":                 {"GET": {s.statusLeader, nil}},
		"/v1/status/peers":                  {"GET": {s.statusPeers, nil}},
		"/v1/agent/self":                    {"GET": {s.showSelf, nil}},
		"/v1/agent/members":                 {"GET": {s.listMembers, nil}},
		"/v1/agent/join/{address}":          {"PUT": {s.join, nil}},
		"/v1/agent/leave":                   {"PUT": {s.leave, nil}},
		"/v1/agent/force-leave/{name}":      {"PUT": {s.forceLeave, nil}},
		"/v1/agent/reload":                  {"PUT": {s.reload, nil}},
		"/v1/operator/raft/configuration":   {"GET": {s.showRaft, nil}},
		"/v1/operator/raft/peer":            {"DELETE": {s.removePeer, idParam}},
		"/v1/operator/raft/transfer-leader": {"POST": {s.transferLeader, idParam}},
		"/v1/snapshot":                      {"GET": {s.saveSnapshot, []string{"consistent", "stale"}}, "PUT": {s.restoreSnapshot, nil}},
		"/livez":                            {"GET": {s.livez, nil}},
		"/readyz":                           {"GET": {s.readyz, nil}},
	}
	if s.Metrics != nil {
		serve := func(w http.ResponseWriter, r *http.Request) error {
			s.Metrics.ServeHTTP(w, r)
			return nil
		}
		routes["/metrics"] = methods{"GET": {serve, nil}}
	}
	return routes
}

// router finds a request's route. Paths are matched as they were escaped, so that names may hold a slash, and are never
// cleaned; what a path names is in the request's PathValue. The first path that matches is taken: in order, fixed words come
// before the names that could stand for them.
func (s *Server) router() http.Handler {
	router := mux.NewRouter().UseEncodedPath().SkipClean(true)
	routes := s.routes()
	for _, path := range sortedKeys(routes) {
		m := routes[path]
		router.Path(path).Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.serve(w, r, path, func(w http.ResponseWriter, r *http.Request) error {
				return m.serve(w, r, mux.Vars(r))
			})
		}))
	}
	router.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, "none", func(_ http.ResponseWriter, r *http.Request) error { return notFound(r) })
	})
	return router
}

// serve finds the endpoint of a method and checks what is the same for all.
func (m methods) serve(w http.ResponseWriter, r *http.Request, vars map[string]string) error {
	e, ok := m.of(r.Method)
	if !ok {
		w.Header().Set("Allow", strings.Join(m.allowed(), ", "))
		return methodNotAllowed(r, m.allowed())
	}
	for name, escaped := range vars {
		value, err := url.PathUnescape(escaped)
		if err != nil {
			return notFound(r)
		}
		r.SetPathValue(name, value)
	}
	if err := checkQuery(r, e.params); err != nil {
		return err
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if err := checkContent(r); err != nil {
			return err
		}
	}
	return e.do(w, r)
}
