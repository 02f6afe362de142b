package httpd

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/go-bexpr"
	"github.com/hashicorp/go-bexpr/grammar"

	"github.com/musterhq/muster/fsm"
)

const (
	maxFilter      = 4 << 10 // bytes of an expression
	maxFilterSteps = 100_000 // of its parser
)

// filter judges rows; nil lets all pass. It belongs to one request: go-bexpr keeps compiled patterns inside the
// expression as it meets them.
type filter struct {
	eval *bexpr.Evaluator
	open *flattener      // nil when rows embed nothing
	asks map[string]bool // the fields of the row that it looks at
}

// newFilter refuses an expression that does not parse, names what rows do not have, or compares what cannot be compared.
// Rows are judged by the names of their JSON; zero is the zero value of one.
func newFilter(expression string, zero any) (*filter, error) {
	if strings.TrimSpace(expression) == "" {
		return nil, nil
	}
	if len(expression) > maxFilter {
		return nil, fsm.Invalid("filter", "is %d bytes long; at most %d are allowed", len(expression), maxFilter)
	}
	tree, err := grammar.Parse("", []byte(expression), grammar.MaxExpressions(maxFilterSteps))
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, fsm.Invalid("filter", `does not parse; it is to be like name == "orders" or "a" in labels, and here: %s`, line)
	}
	// The whole tree is walked, since an evaluation ends at the first term that decides.
	asks := map[string]bool{}
	if err := (scope{row: reflect.TypeOf(zero), asks: asks}).check(tree); err != nil {
		return nil, fsm.Invalid("filter", "%s", err)
	}
	eval, err := bexpr.CreateEvaluator(expression, bexpr.WithTagName("json"),
		bexpr.WithMaxExpressions(maxFilterSteps), bexpr.WithHookFn(asTold), bexpr.WithUnknownValue(""))
	if err != nil {
		return nil, fsm.Invalid("filter", "does not parse: %s", err)
	}
	return &filter{eval: eval, open: flatten(reflect.TypeOf(zero)), asks: asks}, nil
}

// match judges a row, given by pointer. A label, attribute or var that the row does not have reads as an empty text. A term
// that cannot be judged (of a lag that was never told, of what goes deeper than the row's vars do) makes the row not match.
func (f *filter) match(row any) bool {
	if f == nil {
		return true
	}
	if f.open != nil {
		row = f.open.of(row)
	}
	ok, err := f.eval.Evaluate(row)
	return err == nil && ok
}

// asTold turns what JSON tells as text, or as a document, into that.
func asTold(v reflect.Value) reflect.Value {
	if !v.IsValid() || !v.CanInterface() {
		return v
	}
	switch x := v.Interface().(type) {
	case fsm.Time:
		return reflect.ValueOf(x.String())
	case fsm.Duration:
		return reflect.ValueOf(x.String())
	case fsm.Percent:
		return reflect.ValueOf(fmt.Sprintf("%d%%", int(x)))
	case fsm.JSON:
		var document any
		if x == "" || json.Unmarshal([]byte(x), &document) != nil {
			document = map[string]any{}
		}
		return reflect.ValueOf(withoutNulls(document))
	}
	return v
}

// withoutNulls leaves nulls out, which go-bexpr cannot look at.
func withoutNulls(v any) any {
	switch v := v.(type) {
	case nil:
		return ""
	case map[string]any:
		for k, held := range v {
			if held == nil {
				delete(v, k)
			} else {
				v[k] = withoutNulls(held)
			}
		}
	case []any:
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
	}
	return v
}

// scope is what names mean in an expression: the fields of the row, and inside any and all the name they bind.
type scope struct {
	row   reflect.Type
	name  string
	bound reflect.Type
	asks  map[string]bool // collects the fields of the row that are named
}

func (s scope) check(e any) error {
	switch e := e.(type) {
	case *grammar.UnaryExpression:
		return s.check(e.Operand)
	case *grammar.BinaryExpression:
		if err := s.check(e.Left); err != nil {
			return err
		}
		return s.check(e.Right)
	case *grammar.CollectionExpression:
		return s.checkEach(e)
	case *grammar.MatchExpression:
		t, err := s.find(e.Selector.Path)
		if err != nil {
			return err
		}
		return checkOperator(t, e)
	}
	return fmt.Errorf("holds what is not known here")
}

// checkEach judges any and all, which go over a list once: nested in each other they would cost its length squared.
func (s scope) checkEach(e *grammar.CollectionExpression) error {
	if s.name != "" {
		return fmt.Errorf("any and all cannot stand within each other")
	}
	t, err := s.find(e.Selector.Path)
	if err != nil {
		return err
	}
	b := e.NameBinding
	if t.Kind() != reflect.Slice || b.Default == "" {
		return fmt.Errorf("any and all go over a list, like: any shards as s { s.role == \"primary\" }")
	}
	return scope{row: s.row, name: b.Default, bound: t.Elem(), asks: s.asks}.check(e.Inner)
}

// find is the type of what a selector names.
func (s scope) find(path []string) (reflect.Type, error) {
	if len(path) == 0 {
		return nil, fmt.Errorf("names no field")
	}
	t := s.row
	rest := path
	if s.name != "" && path[0] == s.name {
		t, rest = s.bound, path[1:]
	} else {
		s.asks[path[0]] = true
	}
	for _, part := range rest {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		switch fields := keysOf(t); {
		case t == freeType:
			return t, nil
		case t.Kind() == reflect.Map:
			t = t.Elem()
		case fields == nil || readsItself(t):
			return nil, fmt.Errorf("%q goes deeper than its rows do", strings.Join(path, "."))
		case fields[part] == nil:
			return nil, fmt.Errorf("no field is called %q%s", part, didYouMean(part, namesOf(fields)))
		default:
			t = fields[part]
		}
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t, nil
}

var (
	freeType = reflect.TypeFor[fsm.JSON]()

	onText = []grammar.MatchOperator{
		grammar.MatchEqual, grammar.MatchNotEqual, grammar.MatchIn, grammar.MatchNotIn, grammar.MatchContains,
		grammar.MatchNotContains, grammar.MatchIsEmpty, grammar.MatchIsNotEmpty, grammar.MatchMatches,
		grammar.MatchNotMatches,
	}
	onValue = []grammar.MatchOperator{grammar.MatchEqual, grammar.MatchNotEqual}
	onMany  = []grammar.MatchOperator{
		grammar.MatchIn, grammar.MatchNotIn, grammar.MatchContains, grammar.MatchNotContains, grammar.MatchIsEmpty,
		grammar.MatchIsNotEmpty,
	}
)

// checkOperator refuses what a type cannot be asked.
func checkOperator(t reflect.Type, e *grammar.MatchExpression) error {
	name := strings.Join(e.Selector.Path, ".")
	allowed := onValue
	switch {
	case t == freeType || t.Kind() == reflect.String || readsItself(t):
		allowed = onText
	case t.Kind() == reflect.Struct:
		return fmt.Errorf("%s is an object: ask for one of its fields%s", name, didYouMean("", namesOf(keysOf(t))))
	case t.Kind() == reflect.Map:
		allowed = onMany
	case t.Kind() == reflect.Slice:
		if allowed = onMany; t.Elem().Kind() != reflect.String {
			allowed = []grammar.MatchOperator{grammar.MatchIsEmpty, grammar.MatchIsNotEmpty}
		}
	}
	if !slices.Contains(allowed, e.Operator) {
		return fmt.Errorf("%q does not go with %s", strings.ToLower(e.Operator.String()), name)
	}
	if e.Value == nil {
		return nil
	}
	if e.Operator == grammar.MatchMatches || e.Operator == grammar.MatchNotMatches {
		if _, err := regexp.Compile(e.Value.Raw); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return checkLiteral(t, name, e.Value.Raw)
}

// checkLiteral refuses what can never equal a number or a truth.
func checkLiteral(t reflect.Type, name, raw string) error {
	var err error
	switch {
	case readsItself(t):
	case t.Kind() == reflect.Bool:
		if _, err = bexpr.CoerceBool(raw); err != nil {
			return fmt.Errorf("%s is true or false, never %q", name, raw)
		}
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64 || t.Kind() == reflect.Uint64:
		if _, err = bexpr.CoerceInt64(raw); err != nil {
			return fmt.Errorf("%s is a number, %q is not", name, raw)
		}
	}
	return nil
}
