// Package tracetest is a collector for tests: it takes OTLP over HTTP as the protocol has it, and keeps what came.
package tracetest

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is one that came, its ids in hex.
type Span struct {
	Peer, Name        string // the peer by its name
	Trace, ID, Parent string // Parent is empty for a trace's first
	Kind              string
	Attributes        map[string]string
	Links             []string // traces
	Start, End        uint64   // ns since 1970
	Error             string
}

// Collector is an http.Handler. Its methods may be used by any number of goroutines.
type Collector struct {
	// Answer may answer a request in the collector's place, true when it did.
	Answer func(w http.ResponseWriter, r *http.Request) bool

	mu      sync.Mutex
	spans   []Span
	raw     bytes.Buffer
	headers []http.Header
	wrong   []error
}

// ServeHTTP is http.Handler's.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if c.Answer != nil && c.Answer(w, r) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // who sends it was stopped on the way, and sends it anew
	}
	if err := c.take(r, body); err != nil {
		c.mu.Lock()
		c.wrong = append(c.wrong, err)
		c.mu.Unlock()
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (c *Collector) take(r *http.Request, body []byte) error {
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-protobuf" || r.Header.Get("Content-Encoding") != "gzip" {
		return errors.New("no spans in protobuf, packed by gzip")
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(unpacked)
	if err != nil {
		return err
	}
	var request collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(raw, &request); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(raw)
	c.headers = append(c.headers, r.Header)
	for _, part := range request.ResourceSpans {
		peer := attributes(part.Resource.Attributes)["muster.peer"]
		for _, scope := range part.ScopeSpans {
			for _, s := range scope.Spans {
				c.keep(read(peer, s))
			}
		}
	}
	return nil
}

// keep keeps a span once, though it may come again: what is on its way when a peer stops is sent anew.
func (c *Collector) keep(s Span) {
	if !slices.ContainsFunc(c.spans, func(o Span) bool { return o.Trace == s.Trace && o.ID == s.ID }) {
		c.spans = append(c.spans, s)
	}
}

func read(peer string, s *otlp.Span) Span {
	out := Span{
		Peer: peer, Name: s.Name, Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId),
		Parent: hex.EncodeToString(s.ParentSpanId), Kind: s.Kind.String(), Attributes: attributes(s.Attributes),
		Start: s.StartTimeUnixNano, End: s.EndTimeUnixNano,
	}
	if s.Status.GetCode() == otlp.Status_STATUS_CODE_ERROR {
		out.Error = s.Status.Message
	}
	for _, l := range s.Links {
		out.Links = append(out.Links, hex.EncodeToString(l.TraceId))
	}
	return out
}

func attributes(all []*common.KeyValue) map[string]string {
	out := map[string]string{}
	for _, a := range all {
		switch v := a.Value.Value.(type) {
		case *common.AnyValue_IntValue:
			out[a.Key] = strconv.FormatInt(v.IntValue, 10)
		default:
			out[a.Key] = a.Value.GetStringValue()
		}
	}
	return out
}

// Spans are those that came, in that order.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// Find are the spans for which is holds.
func (c *Collector) Find(is func(Span) bool) []Span {
	return slices.DeleteFunc(c.Spans(), func(s Span) bool { return !is(s) })
}

// Raw is all that came, unpacked.
func (c *Collector) Raw() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raw.String()
}

// Headers are those of the requests that were taken.
func (c *Collector) Headers() []http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.headers)
}

// Err is what was wrong with requests.
func (c *Collector) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.wrong...)
}
