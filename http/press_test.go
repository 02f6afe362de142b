package httpd_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// events reads so many events as they are told.
func (w *follower) events(n int) []string {
	w.t.Helper()
	var out []string
	for len(out) < n {
		if line := w.line(); !strings.Contains(line, `"type":"heartbeat"`) {
			out = append(out, line)
		}
	}
	return out
}

// TestFollowersAreToldAlike has followers read what others were told before them, with and without a filter: each is told
// what one that came alone is told, which is what pages tell, and the cursor.
func TestFollowersAreToldAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, alone := newFace(t), newFace(t)
		for _, f := range []*face{f, alone} {
			f.fleet()
			f.move("maintenance", false, "orders/orders-1")
		}
		total := int(f.state.Read().Meta().Seq)
		var want []string
		for i, e := range into[[]json.RawMessage](f.get("/v1/events?limit=1000"), http.StatusOK) {
			want = append(want, fmt.Sprintf(`%s,"cursor":"e1:%d"}`, e[:len(e)-1], i+1))
		}
		if len(want) != total {
			t.Fatalf("a page tells %d events of %d", len(want), total)
		}
		for range 2 {
			if diff := cmp.Diff(want, f.followed(t, "/v1/events/follow").events(total)); diff != "" {
				t.Errorf("a follower is told other than a page (-want +got):\n%s", diff)
			}
		}
		f.voters(3)
		for _, query := range []string{"?type=node.u*", "?cluster=carts", "?node=a/b", "?cause=operator", "?after=e1:4&type=shard.*"} {
			wanted := len(seqs(alone.get("/v1/events?limit=1000&" + query[1:])))
			want := alone.followed(t, "/v1/events/follow"+query).events(wanted)
			if diff := cmp.Diff(want, f.followed(t, "/v1/events/follow"+query).events(wanted)); diff != "" || wanted == 0 {
				t.Errorf("%s: %d events, not those that one alone is told (-want +got):\n%s", query, wanted, diff)
			}
		}
	})
}

// TestFollowersPastAPress follows more events than are kept as told, and one too large for that.
func TestFollowersPastAPress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		for i := range httpd.PressSlots + 100 {
			f.voters(3 + 2*(i%2))
		}
		for i := range 3 {
			s := settingsWith(5)
			s.Vars = fsm.JSON(fmt.Sprintf(`{"long":"%d%s"}`, i, strings.Repeat("x", httpd.PressLine)))
			f.apply(&fsm.SettingsSet{Settings: s})
		}
		total := f.state.Read().Meta().Seq
		late := f.followed(t, "/v1/events/follow?after=now")
		late.next()
		for range 2 {
			w := f.followed(t, "/v1/events/follow")
			for want := uint64(1); want <= total; want++ {
				if e := w.event(); e.Seq != want {
					t.Fatalf("event %d where %d was due", e.Seq, want)
				}
			}
		}
		f.voters(7)
		if e := late.event(); e.Seq != total+1 {
			t.Errorf("event %d where %d was due", e.Seq, total+1)
		}
	})
}

// TestPressKeepsNoLongLines has a follower told events of many lengths: those up to the limit are kept for the next one, and no
// longer ones.
func TestPressKeepsNoLongLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		for long := range 100 {
			s := settingsWith(5)
			s.Vars = fsm.JSON(fmt.Sprintf(`{"long":%q}`, strings.Repeat("x", 20*long)))
			f.apply(&fsm.SettingsSet{Settings: s})
		}
		told := f.followed(t, "/v1/events/follow").events(int(f.state.Read().Meta().Seq))
		kept, longer := f.server.Pressed(), 0
		for i, line := range told {
			want := line
			if len(line) > httpd.PressLine {
				longer++
				want = ""
			}
			if got := kept[uint64(i+1)]; got != want {
				t.Errorf("of event %d, a line of %d bytes, %d are kept", i+1, len(line), len(got))
			}
		}
		if longer == 0 || longer == len(told) {
			t.Errorf("%d of %d lines are longer than %d bytes", longer, len(told), httpd.PressLine)
		}
	})
}

// TestFollowersAfterARestore restores a state in which other events have the seqs of those that were told: what is told
// then is of the new epoch.
func TestFollowersAfterARestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		f.voters(3)
		f.followed(t, "/v1/events/follow").events(int(f.state.Read().Meta().Seq))
		other := newPeer(t)
		other.state = fsm.NewState()
		other.apply(&fsm.GroupCreate{Group: "01GROUP", Epoch: "e2"})
		other.apply(&fsm.SettingsSet{Settings: settingsWith(9)})
		var b bytes.Buffer
		if err := other.state.Read().WriteSnapshot(&b); err != nil {
			t.Fatal(err)
		}
		if err := f.state.Restore(&b); err != nil {
			t.Fatal(err)
		}
		total := int(f.state.Read().Meta().Seq)
		for i, line := range f.followed(t, "/v1/events/follow").events(total) {
			if !strings.HasSuffix(line, fmt.Sprintf(`,"cursor":"e2:%d"}`, i+1)) {
				t.Errorf("event %d is told as %s", i+1, line)
			}
		}
	})
}

// TestEventsGoOutTogether appends events one by one. While a follower waits out its gap they gather and go out in one write;
// after a quiet time the next goes out at once.
func TestEventsGoOutTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		w := f.followed(t, "/v1/events/follow?after=now")
		w.next()
		p := make([]byte, 1<<20)
		for range 3 {
			for range 5 {
				synctest.Wait()
				f.voters(3)
				synctest.Wait()
				f.voters(5)
			}
			n, err := w.from.Read(p)
			if got := bytes.Count(p[:n], []byte("\n")); err != nil || got != 10 {
				t.Fatalf("%d of 10 events came in one write: %v", got, err)
			}
		}
		<-time.After(time.Second)
		began := time.Now()
		f.voters(3)
		if w.event(); time.Since(began) != 0 {
			t.Errorf("after a quiet time an event came %s late", time.Since(began))
		}
	})
}

// TestStandingFollowerIsCutOff has a follower take nothing after a minute: it is cut off when a write has waited for 30 s,
// and counted. One that leaves is not.
func TestStandingFollowerIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		ln, ran := newPipes(), make(chan error, 1)
		ctx, stop := context.WithCancel(t.Context())
		go func() { ran <- f.server.Run(ctx, ln) }()
		var conns []net.Conn
		var lines *bufio.Reader
		for range 2 {
			c, err := ln.dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			if _, err := io.WriteString(c, "GET /v1/events/follow?after=now HTTP/1.1\r\nHost: peer\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = res.Body.Close() })
			conns, lines = append(conns, c), bufio.NewReader(res.Body)
			if _, err := lines.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		conns[0].Close()
		for range 4 {
			if _, err := lines.ReadString('\n'); err != nil {
				t.Fatalf("one that takes its heartbeats: %v", err)
			}
		}
		began := time.Now()
		for f.counted("muster_http_waiting_requests") > 0 {
			<-time.After(time.Second)
		}
		if took := time.Since(began); took < 30*time.Second || took > 50*time.Second {
			t.Errorf("it was cut off after %s", took)
		}
		if n := f.counted("muster_http_followers_cut_total"); n != 1 {
			t.Errorf("%v followers were cut off", n)
		}
		stop()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	})
}

// counted is the value of a metric without labels.
func (f *face) counted(name string) float64 {
	f.t.Helper()
	for line := range strings.Lines(f.get("/metrics").Body.String()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				f.t.Fatal(err)
			}
			return n
		}
	}
	f.t.Fatalf("there is no metric %s", name)
	return 0
}
