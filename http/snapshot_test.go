package httpd_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

func TestSnapshotIsOfWhatWasRead(t *testing.T) {
	f := newFace(t)
	a := f.get("/v1/snapshot")
	m := f.state.Read().Meta()
	if want := fmt.Sprintf("a backup at %d", m.Index); a.Code != http.StatusOK || a.Body.String() != want {
		t.Errorf("status %d, %q, want %q", a.Code, a.Body, want)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/gzip", "X-Muster-Index": fmt.Sprint(m.Index), "X-Muster-Epoch": m.Epoch(), "X-Muster-KnownLeader": "true",
	} {
		if got := a.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if head := f.do(http.MethodHead, "/v1/snapshot", nil); head.Code != http.StatusOK || head.Body.Len() > 0 {
		t.Errorf("HEAD: status %d, %q", head.Code, head.Body)
	}
	f.noLeader = true
	f.get("/v1/snapshot").refuses(http.StatusServiceUnavailable, fsm.CodeUnavailable)
	if a := f.get("/v1/snapshot?stale"); a.Code != http.StatusOK {
		t.Errorf("?stale without a leader: status %d", a.Code)
	}
}

func TestRestorePassesTheBackupOn(t *testing.T) {
	f := newFace(t)
	want := httpd.Restored{Epoch: "e2", Cursor: "e2:4", Index: 17}
	var got string
	var by fsm.Cause
	f.restore = func(from io.Reader, cause fsm.Cause) (httpd.Restored, error) {
		raw, err := io.ReadAll(from)
		got, by = string(raw), cause
		return want, err
	}
	for _, kind := range []string{"application/gzip", "application/octet-stream"} {
		a := f.do(http.MethodPut, "/v1/snapshot", "the backup", "Content-Type", kind)
		if diff := cmp.Diff(want, into[httpd.Restored](a, http.StatusOK)); diff != "" {
			t.Errorf("answer (-want +got):\n%s", diff)
		}
		if want := (fsm.Cause{Kind: fsm.CauseOperator, Address: "192.0.2.7"}); got != "the backup" || by != want {
			t.Errorf("restored %q for %+v", got, by)
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	f := newFace(t)
	f.server.TakeAtMost(10)
	f.restore = func(from io.Reader, _ fsm.Cause) (httpd.Restored, error) {
		raw, err := io.ReadAll(from)
		switch {
		case err != nil:
			return httpd.Restored{}, err
		case string(raw) == "unknown":
			return httpd.Restored{}, fsm.Errorf(fsm.CodeUnknown, "leadership was lost")
		}
		return httpd.Restored{}, fsm.Errorf(fsm.CodeInvalid, "it is no backup")
	}
	put := func(body, kind string) answer {
		return f.do(http.MethodPut, "/v1/snapshot", body, "Content-Type", kind)
	}
	for _, kind := range []string{"", "application/json", "text/plain", "application/x-www-form-urlencoded", "application/merge-patch+json"} {
		put("a backup", kind).refuses(http.StatusUnsupportedMediaType, httpd.CodeMediaType)
	}
	put("nonsense", "application/gzip").refuses(http.StatusBadRequest, fsm.CodeInvalid)
	put("eleven byte", "application/gzip").refuses(http.StatusRequestEntityTooLarge, fsm.CodeTooLarge)
	if r := put("unknown", "application/gzip").refuses(http.StatusServiceUnavailable, fsm.CodeUnknown); r.Error.Outcome != "unknown" {
		t.Errorf("outcome %q", r.Error.Outcome)
	}
	f.do(http.MethodPut, "/v1/settings", "{}", "Content-Type", "application/gzip").
		refuses(http.StatusUnsupportedMediaType, httpd.CodeMediaType)
}

// untouched fails when it is read.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body was sent before the peer wanted it")
	return 0, io.EOF
}

func TestClientSendsABackupOnlyToWhomItWants(t *testing.T) {
	f := newFace(t)
	f.restore = func(io.Reader, fsm.Cause) (httpd.Restored, error) {
		return httpd.Restored{}, fsm.Errorf(fsm.CodeUnavailable, "no leader")
	}
	server := httptest.NewServer(f.server.Handler())
	defer server.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	c, err := httpd.NewClient(httpd.ClientConfig{Address: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Restore(t.Context(), untouched{t}); !errors.Is(err, fsm.ErrUnavailable) {
		t.Errorf("restore: %v", err)
	}
	f.restore = func(from io.Reader, _ fsm.Cause) (httpd.Restored, error) {
		raw, err := io.ReadAll(from)
		return httpd.Restored{Epoch: string(raw)}, err
	}
	if got, err := c.Restore(t.Context(), strings.NewReader("the backup")); err != nil || got.Epoch != "the backup" {
		t.Errorf("restore: %v, %v", got, err)
	}
	var saved bytes.Buffer
	meta, err := c.Snapshot(t.Context(), httpd.Read{}, &saved)
	if want := fmt.Sprintf("a backup at %d", meta.Index); err != nil || saved.String() != want || meta.Index == 0 {
		t.Errorf("save: %q, %v, want %q", &saved, err, want)
	}
}

// takes sends a backup as it comes.
func (f *face) takes(body io.Reader) answer {
	req := httptest.NewRequestWithContext(f.t.Context(), http.MethodPut, "/v1/snapshot", body)
	req.Header.Set("Content-Type", "application/gzip")
	w := httptest.NewRecorder()
	f.server.Handler().ServeHTTP(w, req)
	return answer{w, f.t}
}

// TestBackupsOnTheirWayAreBounded has as many restores wait for their bodies as there may be backups on their way: the next one is
// refused, to be sent or taken, and taken once another has ended.
func TestBackupsOnTheirWayAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg := prometheus.NewRegistry()
		f := newFace(t, func(c *httpd.Config) { c.Registerer = reg })
		f.restore = func(from io.Reader, _ fsm.Cause) (httpd.Restored, error) {
			_, err := io.ReadAll(from)
			return httpd.Restored{}, err
		}
		var bodies []*io.PipeWriter
		codes := make(chan int, httpd.MaxBackups)
		for range httpd.MaxBackups {
			body, more := io.Pipe()
			bodies = append(bodies, more)
			go func() { codes <- f.takes(body).Code }()
		}
		synctest.Wait()
		if got := gauge(t, reg, "muster_http_backups"); got != httpd.MaxBackups {
			t.Errorf("the metric counts %v backups", got)
		}
		f.get("/v1/snapshot").refuses(http.StatusTooManyRequests, httpd.CodeTooMany)
		f.takes(untouched{t}).refuses(http.StatusTooManyRequests, httpd.CodeTooMany)
		if a := f.do(http.MethodHead, "/v1/snapshot", nil); a.Code != http.StatusOK {
			t.Errorf("HEAD is answered %d", a.Code)
		}
		for _, b := range bodies[:2] {
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			if code := <-codes; code != http.StatusOK {
				t.Errorf("a restore is answered %d", code)
			}
			for range 2 * httpd.MaxBackups {
				if a := f.get("/v1/snapshot"); a.Code != http.StatusOK {
					t.Fatalf("a backup is answered %d", a.Code)
				}
			}
		}
		for _, b := range bodies[2:] {
			if err := b.CloseWithError(errors.New("gone")); err != nil {
				t.Fatal(err)
			}
			<-codes
		}
		if got := gauge(t, reg, "muster_http_backups"); got != 0 {
			t.Errorf("the metric counts %v backups in the end", got)
		}
	})
}
