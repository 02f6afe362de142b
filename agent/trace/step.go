package trace

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// step is one that is followed.
type step struct{ span trace.Span }

func (s step) Set(key, value string) { s.span.SetAttributes(attribute.String(key, value)) }

func (s step) Count(key string, n int) { s.span.SetAttributes(attribute.Int(key, n)) }

// End ends a step; an error is told by its code alone.
func (s step) End(err error) {
	if err != nil {
		code := codeOf(err)
		s.span.SetAttributes(attribute.String("error.type", code))
		s.span.SetStatus(codes.Error, code)
	}
	s.span.End()
}

// idle is a step that is not followed.
type idle struct{}

func (idle) Set(string, string) {}
func (idle) Count(string, int)  {}
func (idle) End(error)          {}
