package httpd_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/fsm"
	httpd "github.com/musterhq/muster/http"
)

// slowLog takes its time for an entry, so that what comes at once is computed from one state.
type slowLog struct{ httpd.Log }

func (l slowLog) Propose(ctx context.Context, c fsm.Command) (fsm.Result, error) {
	select {
	case <-time.After(5 * time.Millisecond):
		return l.Log.Propose(ctx, c)
	case <-ctx.Done():
		return fsm.Result{}, ctx.Err()
	}
}

// TestWritersOfOneCluster has many set something on one cluster at once, without a condition: none is told of the others.
func TestWritersOfOneCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFace(t, func(c *httpd.Config) { c.Log = slowLog{c.Log} })
		f.fleet()
		const writers = 40
		var all sync.WaitGroup
		for i := range writers {
			all.Go(func() {
				body := fmt.Sprintf(`{"labels": {"writer-%02d": "was here"}}`, i)
				if a := f.do("PATCH", "/v1/cluster/orders", body); a.Code != http.StatusOK {
					t.Errorf("writer %d: status %d: %s", i, a.Code, a.Body)
				}
			})
		}
		all.Wait()
		if got := f.state.Read().Cluster("orders").Settings.Labels; len(got) != writers {
			t.Errorf("%d labels are set: %v", len(got), got)
		}
	})
}
