package consul

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"time"

	"golang.org/x/time/rate"

	"github.com/musterhq/muster/discovery"
)

// waitTime is how long a blocking query waits at the server, which adds up to a sixteenth; the call's own time is longer
// by that and a good margin.
const (
	waitTime     = time.Minute
	blockTimeout = waitTime*17/16 + 15*time.Second
)

// answer is what a blocking query saw: its index, and a print of its content as far as it matters.
type answer struct {
	index uint64
	print [sha256.Size]byte
}

// query is one blocking query that is asked again and again.
type query struct {
	pace    *rate.Limiter
	ask     func(ctx context.Context, how call) (answer, error)
	changed func()                        // called for the first answer and each that differs from the last
	failed  func(err error, failures int) // called for each failure in a row
}

// follow asks until ctx ends.
func follow(ctx context.Context, q query) {
	var last answer
	var backoff discovery.Backoff
	seen, failures := false, 0
	for q.pace.Wait(ctx) == nil {
		got, err := q.ask(ctx, call{timeout: blockTimeout, watch: true, index: last.index, wait: waitTime})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			failures++
			q.failed(err, failures)
			last.index = 0
			if backoff.Wait(ctx) != nil {
				return
			}
			continue
		}
		backoff.Reset()
		failures = 0
		changed := !seen || got.print != last.print
		last = answer{index: nextIndex(last.index, got.index), print: got.print}
		seen = true
		if changed {
			q.changed()
		}
	}
}

// nextIndex is what to wait past after waiting past last and getting got: 0 counts as 1, and an index that went backwards
// starts over.
func nextIndex(last, got uint64) uint64 {
	got = max(got, 1)
	if got < last {
		return 0
	}
	return got
}

// fingerprint stands for a value; what is compared has no order but a sorted one.
func fingerprint(v any) ([sha256.Size]byte, error) {
	raw, err := json.Marshal(v)
	return sha256.Sum256(raw), err
}
