package discovery

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/go-bexpr"
	"github.com/hashicorp/go-bexpr/grammar"

	"github.com/musterhq/muster/fsm"
)

const maxExpression = 4 << 10 // bytes of a filter or a template

// recordFields are the names that filters and templates know, each with what it holds.
var recordFields = map[string]fieldKind{
	"cluster": text, "node": text, "address": text, "service": text, "datacenter": text, "source": text, "probe": text,
	"port": number, "tags": list, "meta": table, "labels": table,
}

type fieldKind int

const (
	text fieldKind = iota
	number
	list
	table
)

// filter judges records; nil matches all. It is safe for concurrent use: go-bexpr keeps compiled patterns inside the
// expression as it meets them, so evaluations take turns.
type filter struct {
	mu   sync.Mutex
	eval *bexpr.Evaluator
	late bool // it speaks of cluster, so it is judged after the template
}

// compileFilter refuses what does not parse, names unknown fields, or compares what cannot be compared.
func compileFilter(expression string) (*filter, error) {
	if strings.TrimSpace(expression) == "" {
		return nil, nil
	}
	if len(expression) > maxExpression {
		return nil, fsm.Invalid("filter", "is %d bytes long; at most %d are allowed", len(expression), maxExpression)
	}
	bound := grammar.MaxExpressions(100_000)
	tree, err := grammar.Parse("", []byte(expression), bound)
	if err != nil {
		return nil, fsm.Invalid("filter", "does not parse: %s", firstLine(err))
	}
	f := &filter{}
	if err := f.check(tree); err != nil {
		return nil, fsm.Invalid("filter", "%s", err)
	}
	f.eval, err = bexpr.CreateEvaluator(expression, bexpr.WithTagName("json"), bexpr.WithMaxExpressions(100_000))
	if err != nil {
		return nil, fsm.Invalid("filter", "does not parse: %s", firstLine(err))
	}
	if _, err := f.eval.Evaluate(fsm.Record{}); err != nil {
		return nil, fsm.Invalid("filter", "%s", err)
	}
	return f, nil
}

// check walks the whole expression: an evaluation stops at the first term that decides and would leave the rest unjudged.
func (f *filter) check(e any) error {
	switch e := e.(type) {
	case *grammar.UnaryExpression:
		return f.check(e.Operand)
	case *grammar.BinaryExpression:
		if err := f.check(e.Left); err != nil {
			return err
		}
		return f.check(e.Right)
	case *grammar.MatchExpression:
		return f.checkTerm(e)
	}
	return fmt.Errorf("any and all are not known here; write conditions like %s, joined by and, or, not", `"db" in tags`)
}

func (f *filter) checkTerm(e *grammar.MatchExpression) error {
	path := e.Selector.Path
	if len(path) == 0 {
		return fmt.Errorf("names no field")
	}
	kind, ok := recordFields[path[0]]
	if !ok {
		return fmt.Errorf("no field is called %q%s; there are %s", path[0], DidYouMean(path[0], fieldNames()),
			strings.Join(fieldNames(), ", "))
	}
	f.late = f.late || path[0] == "cluster"
	switch {
	case kind == table && len(path) == 2:
		kind = text
	case len(path) > 1:
		return fmt.Errorf("%q goes deeper than records do", strings.Join(path, "."))
	}
	return checkOperator(kind, e)
}

func checkOperator(kind fieldKind, e *grammar.MatchExpression) error {
	name := strings.Join(e.Selector.Path, ".")
	var allowed []grammar.MatchOperator
	switch kind {
	case text:
		allowed = []grammar.MatchOperator{
			grammar.MatchEqual, grammar.MatchNotEqual, grammar.MatchIn, grammar.MatchNotIn, grammar.MatchContains,
			grammar.MatchNotContains, grammar.MatchIsEmpty, grammar.MatchIsNotEmpty, grammar.MatchMatches,
			grammar.MatchNotMatches,
		}
	case number:
		allowed = []grammar.MatchOperator{grammar.MatchEqual, grammar.MatchNotEqual}
	case list, table:
		allowed = []grammar.MatchOperator{
			grammar.MatchIn, grammar.MatchNotIn, grammar.MatchContains, grammar.MatchNotContains, grammar.MatchIsEmpty,
			grammar.MatchIsNotEmpty,
		}
	}
	if !slices.Contains(allowed, e.Operator) {
		return fmt.Errorf("%q does not go with %s", strings.ToLower(e.Operator.String()), name)
	}
	if e.Value == nil {
		return nil
	}
	if kind == number {
		if _, err := bexpr.CoerceInt64(e.Value.Raw); err != nil {
			return fmt.Errorf("%s is a number, %q is not", name, e.Value.Raw)
		}
	}
	if e.Operator == grammar.MatchMatches || e.Operator == grammar.MatchNotMatches {
		if _, err := regexp.Compile(e.Value.Raw); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (f *filter) match(r *fsm.Record) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ok, err := f.eval.Evaluate(r)
	if err != nil {
		return false, fmt.Errorf("%s: filter: %w", place(r), err)
	}
	return ok, nil
}

func fieldNames() []string {
	return []string{"cluster", "node", "address", "port", "service", "datacenter", "tags", "meta", "labels", "source", "probe"}
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
