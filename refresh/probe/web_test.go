package probe_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/poll"
	"github.com/musterhq/muster/refresh/probe"
)

func TestRefusalsThatAreExpectedAreAnswers(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer knock" {
			t.Errorf("authorization is %q", r.Header.Get("Authorization"))
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer srv.Close()
	web := probe.Web{Token: refresh.Secret{Variable: "TOKEN"}}
	pages := web.Pages(refresh.Env{
		Dial:   poll.NewDialer(poll.Rules{AllowLoopback: true}).Dial,
		Reveal: func(refresh.Secret) (string, error) { return "knock", nil },
	})
	defer pages.Close()

	wanted := refresh.Request{Address: srv.Listener.Addr().String(), Path: "/", Status: func(code int) bool { return code == 401 }}
	if answer, err := pages.Fetch(t.Context(), wanted); err != nil || answer.Status != http.StatusUnauthorized {
		t.Errorf("expected: answer is %+v, error %v", answer, err)
	}
	unwanted := refresh.Request{Address: wanted.Address, Path: "/"}
	if _, err := pages.Fetch(t.Context(), unwanted); err == nil || refresh.FaultOf(err).Reason != fsm.ReasonAuth {
		t.Errorf("not expected: error is %v", err)
	}
}
