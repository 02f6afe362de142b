package document

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/musterhq/muster/discovery"
)

// parseHCL reads a file of blocks of one type, each with its name as the label: the value of a block is an object with the
// name in it.
func parseHCL(file, block string, raw []byte) ([]Value, error) {
	body, err := bodyOf(file, raw)
	if err != nil {
		return nil, err
	}
	var out []Value
	var wrong faults
	for _, a := range attributesOf(body) {
		wrong.add(placeOf(a.NameRange).Fault("%s stands outside a block; write %s \"NAME\" { … }", a.Name, block))
	}
	for _, b := range body.Blocks {
		if b.Type != block {
			wrong.add(placeOf(b.TypeRange).Fault("%s is no block of this%s; there is %s",
				b.Type, discovery.DidYouMean(b.Type, []string{block}), block))
			continue
		}
		v, err := namedBlock(b)
		if err != nil {
			wrong.add(err)
			continue
		}
		out = append(out, v)
	}
	return out, wrong.err()
}

// bodyOf is what a file of HCL holds.
func bodyOf(file string, raw []byte) (*hclsyntax.Body, error) {
	parsed, diags := hclsyntax.ParseConfig(raw, file, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, toldBy(diags)
	}
	body, ok := parsed.Body.(*hclsyntax.Body)
	if !ok {
		return nil, Place{file, 1}.Fault("is not HCL")
	}
	return body, nil
}

// namedBlock is a block with its name as the label as an object with the name in it.
func namedBlock(b *hclsyntax.Block) (Value, error) {
	at := placeOf(b.TypeRange)
	if len(b.Labels) != 1 {
		return Value{}, at.Fault("%s takes one name, as in %s \"orders\" { … }", b.Type, b.Type)
	}
	v, err := blockValue(b, 0)
	if err != nil {
		return v, err
	}
	if m := v.member("name"); m != nil {
		return v, m.At.Fault("name is what stands beside %s: %q", b.Type, b.Labels[0])
	}
	v.Members = append(v.Members, nameMember(b.Labels[0], at))
	return v, nil
}

func nameMember(name string, at Place) Member {
	text, _ := json.Marshal(name) //nolint:errchkjson // a string always encodes
	return Member{Key: "name", At: at, Value: Value{At: at, Leaf: text}}
}

func placeOf(r hcl.Range) Place { return Place{File: r.Filename, Line: r.Start.Line} }

// toldBy makes faults of the parser's findings.
func toldBy(diags hcl.Diagnostics) error {
	var wrong faults
	for _, d := range diags {
		if d.Severity != hcl.DiagError {
			continue
		}
		at := Place{Line: 1}
		if d.Subject != nil {
			at = placeOf(*d.Subject)
		}
		detail, _, _ := strings.Cut(d.Detail, "\n")
		wrong.add(at.Fault("%s: %s", strings.ToLower(d.Summary), strings.TrimSuffix(detail, ".")))
	}
	return wrong.err()
}

// attributesOf is a body's attributes as they stand in the file.
func attributesOf(body *hclsyntax.Body) []*hclsyntax.Attribute {
	out := make([]*hclsyntax.Attribute, 0, len(body.Attributes))
	for _, a := range body.Attributes {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *hclsyntax.Attribute) int {
		return cmp.Compare(a.NameRange.Start.Byte, b.NameRange.Start.Byte)
	})
	return out
}

// blockValue is a block as an object; a block within it is a member that is an object.
func blockValue(b *hclsyntax.Block, depth int) (Value, error) {
	v := Value{At: placeOf(b.TypeRange), Kind: Object}
	if depth > maxDepth {
		return v, v.At.Fault("nests more than %d deep", maxDepth)
	}
	var wrong faults
	for _, a := range attributesOf(b.Body) {
		wrong.add(v.addAttribute(a, depth))
	}
	for _, nested := range b.Body.Blocks {
		wrong.add(v.addBlock(nested, depth))
	}
	return v, wrong.err()
}

func (v *Value) addAttribute(a *hclsyntax.Attribute, depth int) error {
	inner, err := exprValue(a.Expr, depth+1)
	return errors.Join(err, v.add(Member{Key: a.Name, At: placeOf(a.NameRange), Value: inner}))
}

// addBlock takes a block without a name as a member that is an object.
func (v *Value) addBlock(b *hclsyntax.Block, depth int) error {
	at := placeOf(b.TypeRange)
	if len(b.Labels) > 0 {
		return at.Fault("%s takes no name", b.Type)
	}
	inner, err := blockValue(b, depth+1)
	return errors.Join(err, v.add(Member{Key: b.Type, At: at, Value: inner}))
}

// exprValue is a constant expression. Objects and lists are walked, so that what is in them has a place.
func exprValue(e hclsyntax.Expression, depth int) (Value, error) {
	v := Value{At: placeOf(e.Range())}
	if depth > maxDepth {
		return v, v.At.Fault("nests more than %d deep", maxDepth)
	}
	switch e := e.(type) {
	case *hclsyntax.ObjectConsExpr:
		v.Kind = Object
		err := objectValue(&v, e, depth)
		return v, err
	case *hclsyntax.TupleConsExpr:
		v.Kind = List
		var wrong faults
		for _, item := range e.Exprs {
			inner, err := exprValue(item, depth+1)
			wrong.add(err)
			v.Items = append(v.Items, inner)
		}
		return v, wrong.err()
	}
	constant, diags := e.Value(nil)
	if diags.HasErrors() {
		v.Leaf = json.RawMessage("null")
		return v, toldBy(diags)
	}
	var err error
	v.Leaf, err = leafOf(constant, v.At)
	return v, err
}

func objectValue(v *Value, e *hclsyntax.ObjectConsExpr, depth int) error {
	var wrong faults
	for _, item := range e.Items {
		at := placeOf(item.KeyExpr.Range())
		key, diags := item.KeyExpr.Value(nil)
		if diags.HasErrors() {
			wrong.add(toldBy(diags))
			continue
		}
		if key.IsNull() || key.Type() != cty.String {
			wrong.add(at.Fault("a key must be a string"))
			continue
		}
		inner, err := exprValue(item.ValueExpr, depth+1)
		wrong.add(err)
		wrong.add(v.add(Member{Key: key.AsString(), At: at, Value: inner}))
	}
	return wrong.err()
}

// leafOf is a plain constant as JSON.
func leafOf(c cty.Value, at Place) (json.RawMessage, error) {
	null := json.RawMessage("null")
	switch {
	case c.IsNull():
		return null, nil
	case !c.IsKnown():
	case c.Type() == cty.String:
		return json.Marshal(c.AsString())
	case c.Type() == cty.Bool && c.True():
		return json.RawMessage("true"), nil
	case c.Type() == cty.Bool:
		return json.RawMessage("false"), nil
	case c.Type() == cty.Number && c.AsBigFloat().MantExp(nil) > maxExponent:
		return null, at.Fault("the number is too large")
	case c.Type() == cty.Number && c.AsBigFloat().MantExp(nil) < -maxExponent:
		return null, at.Fault("the number is too small")
	case c.Type() == cty.Number && !c.AsBigFloat().IsInf():
		return json.RawMessage(c.AsBigFloat().Text('f', -1)), nil
	}
	return null, at.Fault("only plain values, lists and objects can be written here")
}
