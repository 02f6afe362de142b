package httpd

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/musterhq/muster/fsm"
)

// Between tries.
const (
	leastRetry = 100 * time.Millisecond
	mostRetry  = 2 * time.Second
)

// again sends a request until something else comes of it than that it was surely not done, or the time for that is over.
func (c *Client) again(ctx context.Context, k call) (*http.Response, error) {
	until := time.Now().Add(c.retry)
	for pause := leastRetry; ; pause = min(2*pause, mostRetry) {
		res, err := c.send(ctx, k)
		if err == nil || k.raw != nil || !surelyNotDone(err) || time.Now().Add(pause).After(until) {
			return res, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
	}
}

// surelyNotDone says whether a request did nothing and may do something later: nobody took the connection, there was no leader,
// or there were too many others. All else is told at once, above all an outcome that is unknown.
func surelyNotDone(err error) bool {
	if refused, ok := errors.AsType[*StatusError](err); ok {
		return refused.Refusal.Code == fsm.CodeUnavailable && refused.told || refused.Refusal.Code == CodeTooMany
	}
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
