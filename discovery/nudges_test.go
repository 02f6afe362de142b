package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/discovery"
)

func TestNudgesGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		n := discovery.NewNudges()
		began := time.Now()
		var said []string
		ended := make(chan error, 1)
		go func() {
			ended <- n.Run(ctx, func(names []string) { said = append(said, fmt.Sprint(time.Since(began), names)) })
		}()
		after := func(d time.Duration, names ...string) {
			<-time.After(d)
			n.Add(names...)
			synctest.Wait()
		}
		after(time.Second, "b", "a")
		after(50*time.Millisecond, "c")
		after(100*time.Millisecond, "a", "c")
		after(time.Second, "d")
		after(time.Second)
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("run: %v; wanted: %v", err, context.Canceled)
		}
		if diff := cmp.Diff([]string{"1s [a b]", "1.2s [a c]", "2.15s [d]"}, said); diff != "" {
			t.Errorf("nudges (-want +got):\n%s", diff)
		}
	})
}

func TestBackoff(t *testing.T) {
	var b discovery.Backoff
	for round := range 2 {
		base := discovery.BackoffLeast
		for range 20 {
			if d := b.Next(); d < base*3/4 || d > base*5/4 {
				t.Errorf("round %d: waits %s where %s is wanted, more or less a quarter", round, d, base)
			}
			base = min(2*base, discovery.BackoffMost)
		}
		b.Reset()
	}
}
