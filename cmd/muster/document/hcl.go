package document

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/musterhq/muster/discovery"
)

// parseHCL reads a file of blocks of one type, each with its name as the label: the value of a block is an object with the
// name in it.
func parseHCL(file, block string, raw []byte) ([]value, error) {
	parsed, diags := hclsyntax.ParseConfig(raw, file, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, toldBy(diags)
	}
	body, ok := parsed.Body.(*hclsyntax.Body)
	if !ok {
		return nil, Place{file, 1}.fault("is not HCL")
	}
	var out []value
	var wrong faults
	for _, a := range attributesOf(body) {
		wrong.add(placeOf(a.NameRange).fault("%s stands outside a block; write %s \"NAME\" { … }", a.Name, block))
	}
	for _, b := range body.Blocks {
		at := placeOf(b.TypeRange)
		switch {
		case b.Type != block:
			wrong.add(at.fault("%s is no block of this%s; there is %s",
				b.Type, discovery.DidYouMean(b.Type, []string{block}), block))
		case len(b.Labels) != 1:
			wrong.add(at.fault("%s takes one name, as in %s \"orders\" { … }", block, block))
		default:
			v, err := blockValue(b, 0)
			if err != nil {
				wrong.add(err)
				continue
			}
			if m := v.member("name"); m != nil {
				wrong.add(m.at.fault("name is what stands beside %s: %q", block, b.Labels[0]))
				continue
			}
			name, _ := json.Marshal(b.Labels[0]) //nolint:errchkjson // a string always encodes
			v.members = append(v.members, member{key: "name", at: at, value: value{at: at, leaf: name}})
			out = append(out, v)
		}
	}
	return out, wrong.err()
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
		wrong.add(at.fault("%s: %s", strings.ToLower(d.Summary), strings.TrimSuffix(detail, ".")))
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
func blockValue(b *hclsyntax.Block, depth int) (value, error) {
	v := value{at: placeOf(b.TypeRange), kind: object}
	if depth > maxDepth {
		return v, v.at.fault("nests more than %d deep", maxDepth)
	}
	var wrong faults
	for _, a := range attributesOf(b.Body) {
		inner, err := exprValue(a.Expr, depth+1)
		wrong.add(err)
		wrong.add(v.add(member{key: a.Name, at: placeOf(a.NameRange), value: inner}))
	}
	for _, nested := range b.Body.Blocks {
		at := placeOf(nested.TypeRange)
		if len(nested.Labels) > 0 {
			wrong.add(at.fault("%s takes no name", nested.Type))
			continue
		}
		inner, err := blockValue(nested, depth+1)
		wrong.add(err)
		wrong.add(v.add(member{key: nested.Type, at: at, value: inner}))
	}
	return v, wrong.err()
}

// exprValue is a constant expression. Objects and lists are walked, so that what is in them has a place.
func exprValue(e hclsyntax.Expression, depth int) (value, error) {
	v := value{at: placeOf(e.Range())}
	if depth > maxDepth {
		return v, v.at.fault("nests more than %d deep", maxDepth)
	}
	switch e := e.(type) {
	case *hclsyntax.ObjectConsExpr:
		v.kind = object
		err := objectValue(&v, e, depth)
		return v, err
	case *hclsyntax.TupleConsExpr:
		v.kind = list
		var wrong faults
		for _, item := range e.Exprs {
			inner, err := exprValue(item, depth+1)
			wrong.add(err)
			v.items = append(v.items, inner)
		}
		return v, wrong.err()
	}
	constant, diags := e.Value(nil)
	if diags.HasErrors() {
		v.leaf = json.RawMessage("null")
		return v, toldBy(diags)
	}
	var err error
	v.leaf, err = leafOf(constant, v.at)
	return v, err
}

func objectValue(v *value, e *hclsyntax.ObjectConsExpr, depth int) error {
	var wrong faults
	for _, item := range e.Items {
		at := placeOf(item.KeyExpr.Range())
		key, diags := item.KeyExpr.Value(nil)
		if diags.HasErrors() {
			wrong.add(toldBy(diags))
			continue
		}
		if key.IsNull() || key.Type() != cty.String {
			wrong.add(at.fault("a key must be a string"))
			continue
		}
		inner, err := exprValue(item.ValueExpr, depth+1)
		wrong.add(err)
		wrong.add(v.add(member{key: key.AsString(), at: at, value: inner}))
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
	case c.Type() == cty.Number && !c.AsBigFloat().IsInf():
		return json.RawMessage(c.AsBigFloat().Text('f', -1)), nil
	}
	return null, at.fault("only plain values, lists and objects can be written here")
}
