package trace

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"

	"go.opentelemetry.io/otel/trace"

	"github.com/musterhq/muster/fsm"
)

// ids are those of a trace and of its first span.
type ids struct {
	trace trace.TraceID
	span  trace.SpanID
}

// idsOf are those of a claim: who knows the claim knows them. Tokens repeat neither within a group nor over its restores.
func idsOf(group string, c *fsm.Claim) ids {
	seed := make([]byte, 0, 96)
	seed = append(seed, group...)
	seed = binary.BigEndian.AppendUint64(append(seed, 0, byte(c.Subject.Kind)), c.Subject.ID)
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(seed, c.Token))
	return ids{trace.TraceID(sum[:16]), trace.SpanID(sum[16:24])}
}

// place is that of a claim's first span, as its other spans see it.
func (i ids) place(followed bool) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: i.trace, SpanID: i.span, TraceFlags: trace.TraceFlags(0).WithSampled(followed), Remote: true,
	})
}

// share is a part of all traces, by their ids.
type share uint64

const whole = 1 << 63

func shareOf(ratio float64) share { return share(ratio * whole) }

// holds says whether a trace belongs to the share: half of a trace's id decides, so that all peers agree.
func (s share) holds(id trace.TraceID) bool { return share(binary.BigEndian.Uint64(id[8:])>>1) < s }

// chance says the same of a trace that has no id yet.
func (s share) chance() bool { return share(rand.Uint64()>>1) < s }

// given carries the ids of a claim to where a span has its own made.
type given struct{}

// maker makes the ids of spans.
type maker struct{}

// NewIDs is sdktrace.IDGenerator's.
func (m maker) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	if i, ok := ctx.Value(given{}).(ids); ok {
		return i.trace, i.span
	}
	var t trace.TraceID
	binary.BigEndian.PutUint64(t[:8], rand.Uint64()|1) // zero is no id
	binary.BigEndian.PutUint64(t[8:], rand.Uint64())
	return t, m.NewSpanID(ctx, t)
}

// NewSpanID is sdktrace.IDGenerator's.
func (maker) NewSpanID(context.Context, trace.TraceID) (s trace.SpanID) {
	binary.BigEndian.PutUint64(s[:], rand.Uint64()|1)
	return s
}
