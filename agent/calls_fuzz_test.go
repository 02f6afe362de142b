package agent

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/agent/peerport"
	"github.com/musterhq/muster/agent/replica"
	"github.com/musterhq/muster/fsm"
)

// called are the routes of peer-HTTP whose body is read whole.
var called = []string{
	pathHear, pathPromise, pathPropose, callIndex.path, callJoin.path, callLeave.path, callTransfer.path, callAsk.path, callRaft.path,
	pathKeyring, callKeyring.path,
}

// stranger is a peer that leads nothing, asked by nobody known.
func stranger() *Agent { return &Agent{id: "a", machine: replica.New("a", func(error) {})} }

// calledWith has a peer answer a request.
func (a *Agent) calledWith(path string, body io.Reader) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	a.handler().ServeHTTP(answer, httptest.NewRequest(http.MethodPost, path, body))
	return answer
}

// FuzzCalls: whatever one peer sends another, as a question or as an answer, takes little room and is refused as an error that
// has a code; a word that is read is written and read the same again.
func FuzzCalls(f *testing.F) {
	said := word{
		Peer: fsm.Peer{ID: "b", Name: "peer-b", Labels: map[string]string{"zone": "a"}}, Applied: 7, Polls: 3, Epoch: "e", Clock: 1, Disk: 1,
	}
	for i, q := range []any{
		said,
		map[string]any{"from": "b", "to": "a", "serial": 1, "expect": 3},
		nil,
		nothing{},
		joinRequest{Peer: said.Peer},
		leaveRequest{ID: "b", Reason: "r"},
		transferRequest{ID: "b"},
		askRequest{Subject: fsm.Subject{Kind: fsm.KindRun, ID: 1}, Cause: operator},
		fsm.Errorf(fsm.CodeStale, "moved").With("index", "9"),
	} {
		body, err := json.Marshal(q)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), body)
	}
	f.Add(uint8(2), fsm.Frame(&fsm.OperatorAct{Action: "act", Cause: operator}))
	f.Add(uint8(0), []byte(`{"peer":{"id":"b","labels":{"a":null}},"applied":18446744073709551615,"clock":-9223372036854775808,"disk":-1}`))
	f.Fuzz(func(t *testing.T, route uint8, body []byte) {
		path := called[int(route)%len(called)]
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		answer := stranger().calledWith(path, bytes.NewReader(body))
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
			t.Errorf("%s: %d bytes take %d MiB", path, len(body), took>>20)
		}
		if answer.Code < http.StatusInternalServerError {
			t.Errorf("%s is answered %d: %s", path, answer.Code, answer.Body)
		}
		for _, raw := range [][]byte{answer.Body.Bytes(), body} {
			for _, status := range []int{answer.Code, http.StatusInternalServerError} {
				if e := apiError(remoteError(&peerport.StatusError{Status: status, Body: raw})); e.Code == "" {
					t.Errorf("the answer %d with %q is an error without a code", status, raw)
				}
			}
		}
		var w, again word
		if json.Unmarshal(body, &w) != nil {
			return
		}
		h := newHearing()
		h.hear(w)
		h.ready(w.Peer.ID, w.Applied)
		h.ahead(w.Peer.ID, time.Now())
		raw, err := json.Marshal(h.news()[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w, again); diff != "" {
			t.Errorf("a word is otherwise when it is written and read (-first +second):\n%s", diff)
		}
	})
}

// endless is a body that does not end before far more was read of it than may be.
type endless struct {
	of   byte
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.read > 64<<20 {
		return 0, io.EOF
	}
	for i := range p {
		p[i] = e.of
	}
	e.read += len(p)
	return len(p), nil
}

// TestCallsAreBounded gives every route a body without an end.
func TestCallsAreBounded(t *testing.T) {
	for _, path := range called {
		most := maxCall
		if path == pathPropose {
			most = fsm.MaxEntry
		}
		for _, of := range []byte(" [\"") {
			body := &endless{of: of}
			answer := stranger().calledWith(path, body)
			if answer.Code < http.StatusInternalServerError || body.read > 2*most {
				t.Errorf("%s read %d bytes of %q and answers %d", path, body.read, of, answer.Code)
			}
		}
	}
}
