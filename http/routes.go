package httpd

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/musterhq/muster/fsm"
)

// handler answers one request: parse and validate, one call, encode. Its error becomes the answer.
type handler func(w http.ResponseWriter, r *http.Request) error

// endpoint is a handler, the query parameters it takes, and what the token of who asks must allow.
type endpoint struct {
	do     handler
	params []string
	need   fsm.Right
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
	for _, part := range []map[string]methods{s.fleetRoutes(), s.workRoutes(), s.groupRoutes(), s.tokenRoutes(), s.debugRoutes()} {
		maps.Copy(all, part)
	}
	return all
}

// What needs which role: what is only looked at, read. Who operates has muster ask sources and nodes now, lets go what is held
// back, and moves nodes through their lifecycle, which is daily work at night, too. What stays set, and the group itself, are
// managed; so is the preview of a setting that was sent, since it chooses where muster connects to.

// fleetRoutes are about what is observed.
func (s *Server) fleetRoutes() map[string]methods {
	return map[string]methods{
		"/v1/clusters": {"GET": {s.listClusters, listParams, fsm.MayRead}},
		"/v1/cluster/{name}": {
			"GET":   {s.showCluster, append([]string{"at"}, readParams...), fsm.MayRead},
			"PATCH": {s.patchCluster, casParam, fsm.MayManage}, "DELETE": {s.deleteCluster, casParam, fsm.MayManage},
		},
		"/v1/cluster/{name}/nodes":   {"GET": {s.listClusterNodes, listParams, fsm.MayRead}},
		"/v1/cluster/{name}/shards":  {"GET": {s.listShards, listParams, fsm.MayRead}},
		"/v1/cluster/{name}/history": {"GET": {s.clusterHistory, readParams, fsm.MayRead}},
		"/v1/cluster/{name}/events":  {"GET": {s.listClusterEvents, slices.Concat(eventParams, readParams), fsm.MayRead}},
		"/v1/cluster/{name}/effective": {
			"GET": {s.showEffective, append([]string{"node"}, readParams...), fsm.MayRead},
		},
		"/v1/cluster/{name}/node/{id}": {
			"GET": {s.showNode, readParams, fsm.MayRead}, "PATCH": {s.patchNode, casParam, fsm.MayManage},
		},
		"/v1/nodes":            {"GET": {s.listNodes, listParams, fsm.MayRead}},
		"/v1/nodes/transition": {"POST": {s.transition, nil, fsm.MayOperate}},
		"/v1/events":           {"GET": {s.listEvents, slices.Concat(eventParams, readParams), fsm.MayRead}},
		"/v1/events/follow":    {"GET": {s.follow, followParams, fsm.MayRead}},
		"/v1/sd/prometheus":    {"GET": {s.prometheusTargets, []string{"consistent", "stale"}, fsm.MayRead}},
	}
}

// workRoutes are about discoveries and work that is wanted now.
func (s *Server) workRoutes() map[string]methods {
	return map[string]methods{
		"/v1/discoveries":         {"GET": {s.listDiscoveries, listParams, fsm.MayRead}},
		"/v1/discoveries/preview": {"POST": {s.previewPosted, nil, fsm.MayManage}},
		"/v1/discovery/{name}": {
			"GET": {s.showDiscovery, readParams, fsm.MayRead}, "PUT": {s.putDiscovery, casParam, fsm.MayManage},
			"DELETE": {s.deleteDiscovery, casParam, fsm.MayManage},
		},
		"/v1/discovery/{name}/history": {"GET": {s.discoveryHistory, readParams, fsm.MayRead}},
		"/v1/discovery/{name}/run":     {"POST": {s.runDiscovery, nil, fsm.MayOperate}},
		"/v1/discovery/{name}/preview": {"POST": {s.previewStored, nil, fsm.MayOperate}},
		"/v1/discovery/{name}/release": {"POST": {s.releaseHeld, nil, fsm.MayOperate}},
		"/v1/cluster/{name}/refresh":   {"POST": {s.refreshCluster, nil, fsm.MayOperate}},
		"/v1/cluster/{name}/live":      {"GET": {s.liveCluster, nil, fsm.MayOperate}},
		"/v1/claims":                   {"GET": {s.listClaims, listParams, fsm.MayRead}},
	}
}

// groupRoutes are about the peers and the group.
func (s *Server) groupRoutes() map[string]methods {
	routes := map[string]methods{
		"/v1/settings": {
			"GET": {s.showSettings, readParams, fsm.MayRead}, "PUT": {s.putSettings, casParam, fsm.MayManage},
		},
		"/v1/settings/pause": {"PUT": {s.pause, nil, fsm.MayManage}, "DELETE": {s.resume, nil, fsm.MayManage}},

		"/v1/status/leader":                 {"GET": {s.statusLeader, nil, fsm.MayRead}},
		"/v1/status/peers":                  {"GET": {s.statusPeers, nil, fsm.MayRead}},
		"/v1/agent/self":                    {"GET": {s.showSelf, nil, fsm.MayRead}},
		"/v1/agent/members":                 {"GET": {s.listMembers, nil, fsm.MayRead}},
		"/v1/agent/join/{address}":          {"PUT": {s.join, nil, fsm.MayManage}},
		"/v1/agent/leave":                   {"PUT": {s.leave, nil, fsm.MayManage}},
		"/v1/agent/force-leave/{name}":      {"PUT": {s.forceLeave, nil, fsm.MayManage}},
		"/v1/agent/reload":                  {"PUT": {s.reload, nil, fsm.MayManage}},
		"/v1/operator/raft/configuration":   {"GET": {s.showRaft, []string{"consistent", "stale"}, fsm.MayRead}},
		"/v1/operator/raft/peer":            {"DELETE": {s.removePeer, idParam, fsm.MayManage}},
		"/v1/operator/raft/transfer-leader": {"POST": {s.transferLeader, idParam, fsm.MayManage}},
		"/v1/operator/keyring":              s.keyringMethods(),
		"/v1/operator/usage":                {"GET": {s.showUsage, []string{"consistent", "stale"}, fsm.MayRead}},
		"/v1/snapshot": {
			"GET": {s.saveSnapshot, []string{"consistent", "stale"}, fsm.MaySnapshot},
			"PUT": {s.restoreSnapshot, nil, fsm.MayManage},
		},
		"/v1/openapi.json": {"GET": {s.describe, nil, anybody}},

		"/livez":  {"GET": {s.livez, verboseParam, public}},
		"/readyz": {"GET": {s.readyz, verboseParam, public}},
	}
	if s.Metrics != nil {
		serve := func(w http.ResponseWriter, r *http.Request) error {
			s.Metrics.ServeHTTP(w, r)
			return nil
		}
		routes["/metrics"] = methods{"GET": {serve, nil, fsm.MayRead}}
	}
	return routes
}

// tokenRoutes are about who may ask for what. Who has no token yet may ask for the first one; any token tells what it is.
func (s *Server) tokenRoutes() map[string]methods {
	return map[string]methods{
		"/v1/acl/bootstrap":  {"PUT": {s.bootstrapACL, nil, public}},
		"/v1/acl/tokens":     {"GET": {s.listTokens, listParams, fsm.MayManage}},
		"/v1/acl/token":      {"PUT": {s.createToken, nil, fsm.MayManage}},
		"/v1/acl/token/self": {"GET": {s.showOwnToken, readParams, anybody}},
		"/v1/acl/token/{accessor}": {
			"GET": {s.showToken, readParams, fsm.MayManage}, "DELETE": {s.deleteToken, nil, fsm.MayManage},
		},
	}
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
				return s.answer(w, r, m, mux.Vars(r))
			})
		}))
	}
	router.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.serve(w, r, "none", func(_ http.ResponseWriter, r *http.Request) error { return notFound(r) })
	})
	return router
}

// answer finds the endpoint of a method and checks what is the same for all.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, m methods, vars map[string]string) error {
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
	query, err := parseQuery(r)
	if err != nil {
		return err
	}
	if r, err = s.admit(r, e.need); err != nil {
		return err
	}
	if err := checkQuery(query, e.params); err != nil {
		return err
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if err := checkContent(r); err != nil {
			return err
		}
	}
	return e.do(w, r)
}
