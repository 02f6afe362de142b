package trace

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const header = "Traceparent" // of the W3C

// Request begins the answer to a request of a caller, as a part of the trace that its headers name. Where they name none, the
// configured share is followed; where they name one that its caller does not follow, it is not.
func (t *Tracer) Request(ctx context.Context, h http.Header, name string) (context.Context, Step) {
	if t == nil {
		return ctx, idle{}
	}
	switch caller := callerOf(ctx, h); {
	case caller.IsSampled():
		ctx = trace.ContextWithRemoteSpanContext(ctx, caller)
	case caller.IsValid() || !share(t.share.Load()).chance():
		return ctx, idle{}
	}
	return t.begin(ctx, name, trace.WithSpanKind(trace.SpanKindServer))
}

// callerOf is the step that headers name, not valid where they name none. What else tracestate says is left behind: it may be
// longer than peers take headers from each other.
func callerOf(ctx context.Context, h http.Header) trace.SpanContext {
	if len(h[header]) != 1 {
		return trace.SpanContext{}
	}
	one := propagation.MapCarrier{"traceparent": h[header][0]}
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(ctx, one))
}

// Inject has a request to another peer name the step of ctx, if that is followed.
func (t *Tracer) Inject(ctx context.Context, h http.Header) {
	if t != nil && followed(ctx) {
		propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(h))
	}
}

// Serve has what another peer asks be a part of the step that it names, if it names one.
func (t *Tracer) Serve(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller := callerOf(r.Context(), r.Header)
		if !caller.IsSampled() {
			next.ServeHTTP(w, r)
			return
		}
		ctx, step := t.begin(trace.ContextWithRemoteSpanContext(r.Context(), caller), "peer "+r.URL.Path,
			trace.WithSpanKind(trace.SpanKindServer))
		defer step.End(nil)
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}
