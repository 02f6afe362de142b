package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/musterhq/muster/agent/life"
	"github.com/musterhq/muster/agent/peerport"
)

// lastWords is how long an answer is waited for from a peer that leads no more: it may have been on its way.
const lastWords = 250 * time.Millisecond

// errLeaderGone: the peer that was asked led no more before it answered.
var errLeaderGone = errors.New("the peer that led does not any more")

// askLeader sends a request to the peer that leads. It is given up when that peer leads no more: at once while the request
// was not sent, since a lost machine takes as long to dial as the dialer has patience, else after lastWords. An error of
// what was not sent is one of notApplied.
func (a *Agent) askLeader(ctx context.Context, r peerport.Request) ([]byte, error) {
	ctx, giveUp := context.WithCancelCause(ctx)
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
	var watch sync.WaitGroup
	defer watch.Wait()
	defer giveUp(nil)
	watch.Go(func() {
		if !a.leaders.Outlast(ctx, r.Peer) {
			return
		}
		if !sent.Load() || life.Pause(ctx, lastWords) {
			giveUp(errLeaderGone)
		}
	})
	raw, err := a.port.Client().Do(ctx, r)
	if err != nil && !sent.Load() {
		return nil, fmt.Errorf("%w: %w", errNotSent, err)
	}
	return raw, err
}
