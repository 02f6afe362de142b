package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSeqAndTimeOfALine(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 123_000_000, time.UTC)
	for line, want := range map[string]uint64{
		`{"epoch":"e1","seq":4711,"time":"2026-11-22T10:00:00.123Z","type":"node.up","cluster":"\"seq\":1"}`: 4711,
		`{"type":"heartbeat","cursor":"e1:4711"}`:                                                            0,
		`{"epoch":"e1","seq":x,"time":"2026-11-22T10:00:00Z"}`:                                               0,
		`{"epoch":"e1","seq":3,"time":"soon"}`:                                                               0,
	} {
		seq, when, ok := seqAndTime([]byte(line))
		if ok != (want > 0) || ok && (seq != want || !when.Equal(at)) {
			t.Errorf("%s is read as %d at %s, %t", line, seq, when, ok)
		}
	}
}

// told serves streams: each path is the seqs that it tells.
func told(t *testing.T, at time.Time) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("after") == "refused" {
			w.WriteHeader(http.StatusGone)
			return
		}
		fmt.Fprintln(w, `{"type":"heartbeat","cursor":"e1:0"}`)
		for seq := range strings.SplitSeq(r.URL.Query().Get("after"), ",") {
			fmt.Fprintf(w, `{"epoch":"e1","seq":%s,"time":%q}`+"\n", seq, at.Format(time.RFC3339Nano))
		}
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestListeners(t *testing.T) {
	at := time.Now().Add(-time.Minute)
	addr := told(t, at)
	var measuring atomic.Bool
	measuring.Store(true)
	var all []*listener
	for _, c := range []struct {
		seqs  string
		until int
		gaps  int
		ended bool
	}{
		{"4,5,6", 3, 0, false}, {"4,5,6", 0, 0, true}, {"4,6,7", 3, 1, false}, {"4,4,5,3", 0, 2, true}, {"4,5", 3, 0, true},
	} {
		l, err := listen(t.Context(), addr, "?after="+c.seqs)
		if err != nil {
			t.Fatal(err)
		}
		l.attend(&measuring, c.until)
		l.conn.Close()
		if l.gaps != c.gaps || l.ended.Load() != c.ended {
			t.Errorf("%s until %d: %d gaps, ended %t", c.seqs, c.until, l.gaps, l.ended.Load())
		}
		all = append(all, l)
	}
	if lag := all[0].lags[0]; len(all[0].lags) != 3 || lag < 60_000 || lag > 120_000 {
		t.Errorf("lags in milliseconds are %v", all[0].lags)
	}
	if _, err := listen(t.Context(), addr, "?after=refused"); err == nil {
		t.Error("a refused follower listens")
	}
	for i, l := range all {
		l.lags = []float64{float64(i)}
	}
	var got heard
	got.tally(all)
	if diff := cmp.Diff(heard{Lines: 5, P50: 2, P99: 4, Max: 4, Worst: 4, Gaps: 3, Behind: 4}, got); diff != "" {
		t.Errorf("of all together (-want +got):\n%s", diff)
	}
}

// TestHall has an audience come, end and leave.
func TestHall(t *testing.T) {
	addr := told(t, time.Now())
	a := audience{Peers: []string{addr, addr}, Quick: 3}
	// after=now is told as a line that is no event, and then the stream ends.
	h, err := a.gather(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.reading.Wait()
	if got := h.leave(); got.Quick != 3 || got.Ended != 3 || got.Lines != 0 {
		t.Errorf("it heard %+v", got)
	}
}

func TestCopier(t *testing.T) {
	body := []byte(strings.Repeat("0123456789abcdef", 4<<10))
	addr, stop, err := copier(body)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	l, err := listen(t.Context(), addr, "")
	if err != nil {
		t.Fatal(err)
	}
	defer l.conn.Close()
	n := 0
	for p := make([]byte, 1<<10); ; {
		m, err := l.lines.Read(p)
		if n += m; err != nil {
			break
		}
	}
	if n != len(body) {
		t.Errorf("%d bytes of %d were copied", n, len(body))
	}
}
