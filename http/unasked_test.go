package httpd_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// TestStopWaitsForRequestsAlone, and not for connections over which none has come: clients open some ahead of need.
func TestStopWaitsForRequestsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t)
		f.preview = func(context.Context, string, fsm.Spec) (httpd.Preview, error) {
			<-time.After(2 * time.Second)
			return httpd.Preview{Records: 7}, nil
		}
		ln := newPipes()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- f.server.Run(ctx, ln) }()
		var conn net.Conn
		for range 3 {
			var err error
			if conn, err = ln.dial(t.Context(), "", ""); err != nil {
				t.Fatal(err)
			}
		}
		defer conn.Close()
		const request = "POST /v1/discoveries/preview HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" +
			"Content-Length: 18\r\n\r\n" + `{"backend":"file"}`
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		stop()
		began := time.Now()
		if status, body, err := answered(conn); err != nil || status != http.StatusOK {
			t.Errorf("a request under way is answered %d: %s (%v)", status, body, err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took < 2*time.Second || took > 3*time.Second {
			t.Errorf("the stop took %s, the request under way 2s", took)
		}
	})
}
