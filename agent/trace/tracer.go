package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/musterhq/muster/fsm"
)

// Options are what a Tracer is made of. Dial may be nil, for TCP.
type Options struct {
	Config
	Peer       string        // own id
	Name       string        // own name
	Group      string        // its name
	GroupID    func() string // empty while it is not known
	Version    string        // of the program
	Dial       Dial
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Tracer makes spans and sends them. A nil Tracer follows nothing. Its methods may be used by any number of goroutines.
type Tracer struct {
	group    func() string
	share    atomic.Uint64
	tracer   trace.Tracer
	queue    *queue
	courier  *courier
	exporter *otlptrace.Exporter
}

// New makes a Tracer, which keeps its spans until Run sends them. Without an endpoint it is nil.
func New(ctx context.Context, o Options) (*Tracer, error) {
	if !o.On() {
		return nil, nil
	}
	t := &Tracer{group: o.GroupID, courier: &courier{dial: o.Dial}}
	if o.Dial == nil {
		t.courier.dial = (&net.Dialer{Timeout: dialWait}).DialContext
	}
	take, err := t.Prepare(o.Config)
	if err != nil {
		return nil, err
	}
	take()
	if t.queue, err = newQueue(o.Registerer, o.Log); err != nil {
		return nil, err
	}
	t.queue.hide = t.courier.hide
	if t.exporter, err = t.courier.exporter(ctx, o.Config); err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	t.queue.send = t.exporter.ExportSpans
	t.tracer = sdk.NewTracerProvider(
		sdk.WithSampler(sdk.AlwaysSample()), // what is not followed has no span at all
		sdk.WithIDGenerator(maker{}), sdk.WithSpanProcessor(t.queue), sdk.WithResource(o.resource()),
		sdk.WithRawSpanLimits(sdk.SpanLimits{
			AttributeValueLengthLimit: 256, AttributeCountLimit: 32, EventCountLimit: 32, LinkCountLimit: 32,
			AttributePerEventCountLimit: 8, AttributePerLinkCountLimit: 8,
		}),
	).Tracer("github.com/musterhq/muster", trace.WithInstrumentationVersion(o.Version))
	return t, nil
}

func (o *Options) resource() *resource.Resource {
	return resource.NewSchemaless(
		attribute.String("service.name", "muster"), attribute.String("service.namespace", o.Group),
		attribute.String("service.version", o.Version), attribute.String("service.instance.id", o.Peer),
		attribute.String("muster.peer", o.Name),
	)
}

// Run sends spans until ctx ends, and then for a moment those that are left.
func (t *Tracer) Run(ctx context.Context) error {
	if t == nil {
		return nil
	}
	defer t.courier.close()
	t.queue.run(ctx)
	return t.exporter.Shutdown(context.WithoutCancel(ctx))
}

// Prepare reads the files of a configuration anew, and changes nothing: take then takes them over, with the share that is
// followed. The endpoint stays.
func (t *Tracer) Prepare(c Config) (take func(), err error) {
	if t == nil {
		return func() {}, nil
	}
	next, err := t.courier.prepare(c)
	if err != nil {
		return nil, err
	}
	return func() {
		t.courier.take(next)
		t.Follow(c.Ratio)
	}, nil
}

// Reload prepares and takes over at once.
func (t *Tracer) Reload(c Config) error {
	take, err := t.Prepare(c)
	if err != nil {
		return err
	}
	take()
	return nil
}

// Follow changes the share that is followed.
func (t *Tracer) Follow(ratio float64) {
	if t != nil {
		t.share.Store(uint64(shareOf(ratio)))
	}
}

// Step is a part of what is followed, from its beginning to its End. Keys and values are few, bounded, and no secrets.
type Step = interface {
	Set(key, value string)
	Count(key string, n int)
	End(err error)
}

// Step begins a part of the step that ctx belongs to. Where that is not followed, neither is this.
func (t *Tracer) Step(ctx context.Context, name string) (context.Context, Step) {
	if t == nil || !followed(ctx) {
		return ctx, idle{}
	}
	return t.begin(ctx, name)
}

func followed(ctx context.Context) bool { return trace.SpanContextFromContext(ctx).IsSampled() }

func (t *Tracer) begin(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, Step) {
	ctx, span := t.tracer.Start(ctx, name, options...)
	return ctx, step{span}
}

// Claim begins the work on a claim, at the peer that holds it.
func (t *Tracer) Claim(ctx context.Context, name string, c *fsm.Claim) (context.Context, Step) {
	if t == nil {
		return ctx, idle{}
	}
	ids := idsOf(t.group(), c)
	if !t.follows(ids, c) {
		return ctx, idle{}
	}
	return t.begin(trace.ContextWithRemoteSpanContext(ctx, ids.place(true)), name, trace.WithAttributes(about(c)...))
}

// Granted tells of claims that an entry granted, at the peer that leads, which proposed it at that time.
func (t *Tracer) Granted(ctx context.Context, proposed time.Time, claims []*fsm.Claim) {
	if t == nil {
		return
	}
	for _, c := range claims {
		ids := idsOf(t.group(), c)
		if !t.follows(ids, c) {
			continue
		}
		_, span := t.tracer.Start(context.WithValue(ctx, given{}, ids), "claim", trace.WithNewRoot(),
			trace.WithTimestamp(proposed), trace.WithAttributes(about(c)...))
		span.End()
	}
}

// Asked links the step of ctx to the work on a claim that was granted for it, or that was in its way.
func (t *Tracer) Asked(ctx context.Context, c *fsm.Claim) {
	if t == nil || c == nil || !followed(ctx) {
		return
	}
	ids := idsOf(t.group(), c)
	trace.SpanFromContext(ctx).AddLink(trace.Link{SpanContext: ids.place(t.follows(ids, c))})
}

// Together is what is done for several steps at once: a part of the first of them that is followed, to which the others link.
func (t *Tracer) Together(ctx context.Context, steps []Step) context.Context {
	if t == nil {
		return ctx
	}
	var first trace.Span
	for _, s := range steps {
		switch s, ok := s.(step); {
		case !ok:
		case first == nil:
			first = s.span
		default:
			s.span.AddLink(trace.Link{SpanContext: first.SpanContext()})
		}
	}
	if first == nil {
		return ctx
	}
	return trace.ContextWithSpan(ctx, first)
}

func (t *Tracer) follows(i ids, c *fsm.Claim) bool {
	return c.Reason == fsm.WhyAsked || share(t.share.Load()).holds(i.trace)
}

// about is what is told of a claim.
func about(c *fsm.Claim) []attribute.KeyValue {
	kind := "refresh"
	if c.Subject.Kind == fsm.KindRun {
		kind = "run"
	}
	return []attribute.KeyValue{
		attribute.String("muster.claim.kind", kind), attribute.Int64("muster.claim.subject", int64(c.Subject.ID)),
		attribute.Int64("muster.claim.token", int64(c.Token)), attribute.String("muster.claim.reason", c.Reason),
		attribute.String("muster.claim.peer", c.Peer),
	}
}

// codeOf is an error in one word: its text may hold what somebody typed.
func codeOf(err error) string {
	var known *fsm.Error
	switch {
	case errors.As(err, &known):
		return string(known.Code)
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return "error"
}
