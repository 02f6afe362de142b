package httpd_test

import (
	"net/http"
	"testing"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func TestProfilesAreServedOnlyWhenAskedFor(t *testing.T) {
	pages := []string{
		"/debug/pprof/", "/debug/pprof/profile?seconds=1", "/debug/pprof/heap", "/debug/pprof/goroutine?debug=1",
	}
	without, with := newFace(t), newFace(t, func(c *httpd.Config) { c.Debug = true })
	for _, page := range pages {
		without.get(page).refuses(http.StatusNotFound, fsm.CodeNotFound)
		if a := with.get(page); a.Code != http.StatusOK || a.Body.Len() == 0 {
			t.Errorf("%s is answered %d with %d bytes", page, a.Code, a.Body.Len())
		}
	}
	manager := guarded(t) // nobody told it to serve them
	for _, page := range pages {
		if a := manager.get(page, "X-Muster-Token", "manage"); a.Code != http.StatusOK || a.Body.Len() == 0 {
			t.Errorf("%s is answered %d to who may manage", page, a.Code)
		}
		manager.get(page, "X-Muster-Token", "operate").refuses(http.StatusForbidden, fsm.CodeForbidden)
		manager.get(page).refuses(http.StatusUnauthorized, httpd.CodeUnauthorized)
	}
	if a := with.get("/debug/pprof/nothing"); a.Code != http.StatusNotFound {
		t.Errorf("a profile that is none is answered %d", a.Code)
	}
}

// TestRoutesHaveAnOrder makes many servers: on each, a fixed word of a path wins over a name that could be that word.
func TestRoutesHaveAnOrder(t *testing.T) {
	for range 20 {
		f := newFace(t, func(c *httpd.Config) { c.Debug = true })
		f.get("/debug/pprof/profile?debug=1").blames("debug") // which other profiles take
	}
}
