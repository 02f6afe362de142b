package httpd_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// TestPause pauses and resumes, both more than once: what is asked for meanwhile is refused with why.
func TestPause(t *testing.T) {
	f := newFace(t)
	f.apply(&fsm.DiscoveryApply{Name: "d", Spec: fsm.DefaultSpec()})
	f.apply(&fsm.FeatureRaise{Level: 2})
	now := f.now
	got := into[httpd.Paused](f.do(http.MethodPut, "/v1/settings/pause", `{"for": "30m", "reason": "moving racks"}`), http.StatusOK)
	want := fsm.Pause{Until: now.Add(30 * fsm.Minute), Reason: "moving racks"}
	if got.Pause != want {
		t.Errorf("the pause is %+v", got.Pause)
	}
	settings := into[fsm.Settings](f.get("/v1/settings"), http.StatusOK)
	if want.Since = f.now; settings.Pause == nil || *settings.Pause != want || settings.Index != got.Index {
		t.Errorf("the settings are %+v, paused at %d", settings, got.Index)
	}
	body := f.get("/v1/settings").Body.String()
	if again := into[httpd.Ack](f.do(http.MethodPut, "/v1/settings", body), http.StatusOK); again.Changed {
		t.Error("what a GET shows, PUT back, changes something")
	}
	into[httpd.Ack](f.do(http.MethodPut, "/v1/settings", `{"voters": 3}`), http.StatusOK)
	f.do(http.MethodPut, "/v1/settings", strings.Replace(body, "moving racks", "idle", 1)).blames("pause")
	if settings = into[fsm.Settings](f.get("/v1/settings"), http.StatusOK); settings.Voters != 3 || settings.Pause == nil {
		t.Errorf("the settings are %+v", settings)
	}
	until := want.Until.Add(fsm.Hour)
	got = into[httpd.Paused](f.do(http.MethodPut, "/v1/settings/pause", `{"until": "`+until.String()+`"}`), http.StatusOK)
	if got.Pause.Until != until || got.Pause.Reason != "" {
		t.Errorf("the pause was changed to %+v", got.Pause)
	}
	if ack := into[httpd.Ack](f.do(http.MethodDelete, "/v1/settings/pause", nil), http.StatusOK); !ack.Changed {
		t.Error("nothing was resumed")
	}
	if ack := into[httpd.Ack](f.do(http.MethodDelete, "/v1/settings/pause", nil), http.StatusOK); ack.Changed {
		t.Error("it was resumed twice")
	}
	e := f.lastEvent()
	if e.Type != fsm.ScheduleResumed || e.Cause.Kind != fsm.CauseOperator {
		t.Errorf("the last event is %s by %+v", e.Type, e.Cause)
	}
}

// TestPauseRefusesWhatIsAskedFor asks for a refresh while all is paused.
func TestPauseRefusesWhatIsAskedFor(t *testing.T) {
	f := newFace(t)
	f.apply(&fsm.DiscoveryApply{Name: "d", Spec: fsm.DefaultSpec()})
	f.apply(&fsm.FeatureRaise{Level: 2})
	into[httpd.Paused](f.do(http.MethodPut, "/v1/settings/pause", `{"for": "30m", "reason": "moving racks"}`), http.StatusOK)
	a := f.do(http.MethodPost, "/v1/discovery/d/run", nil)
	a.refuses(http.StatusConflict, fsm.CodeConflict)
	if !strings.Contains(a.Body.String(), "moving racks") {
		t.Errorf("it says %s", a.Body)
	}
}

// TestPauseOutOfBounds names the field that is wrong.
func TestPauseOutOfBounds(t *testing.T) {
	f := newFace(t)
	f.apply(&fsm.FeatureRaise{Level: 2})
	for body, field := range map[string]string{
		`{}`: "for", `{"for": "1h", "until": "2030-01-01T00:00:00Z"}`: "for", `{"for": "200h"}`: "for",
		`{"until": "2001-01-01T00:00:00Z"}`: "until", `{"until": "2101-01-01T00:00:00Z"}`: "until",
		`{"for": "1h", "reason": "two\nlines"}`: "reason", `{"four": "1h"}`: "four",
	} {
		f.do(http.MethodPut, "/v1/settings/pause", body).blames(field)
	}
	if diff := cmp.Diff((*fsm.Pause)(nil), f.state.Read().Settings().Pause); diff != "" {
		t.Error(diff)
	}
	f.do(http.MethodPut, "/v1/settings", `{"dead_peers": {"remove_after": "1s"}}`).blames("dead_peers.remove_after")
}
