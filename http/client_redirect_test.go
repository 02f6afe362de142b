package httpd_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	httpd "github.com/musterhq/muster/http"
)

// TestClientsSendTheirTokenNowhereElse has an answer that points to another host.
func TestClientsSendTheirTokenNowhereElse(t *testing.T) {
	sent := map[string]string{}
	send := hostly(func(r *http.Request) *http.Response {
		sent[r.URL.Host] = r.Header.Get("X-Muster-Token")
		w := httptest.NewRecorder()
		http.Redirect(w, r, "https://elsewhere/v1/agent/self", http.StatusTemporaryRedirect)
		res := w.Result()
		res.Request = r
		return res
	})
	c, err := httpd.NewClient(httpd.ClientConfig{Address: "peer", Token: "secret", HTTP: &http.Client{Transport: send}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Self(t.Context()); err == nil || !strings.Contains(err.Error(), "elsewhere") {
		t.Errorf("the redirect ends with %v", err)
	}
	if diff := cmp.Diff(map[string]string{"peer": "secret"}, sent); diff != "" {
		t.Errorf("tokens were sent (-want +got):\n%s", diff)
	}
}

type hostly func(*http.Request) *http.Response

func (h hostly) RoundTrip(r *http.Request) (*http.Response, error) { return h(r), nil }
