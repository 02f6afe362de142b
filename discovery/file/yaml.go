package file

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	yamlparser "github.com/goccy/go-yaml/parser"
)

// yamlReader builds values from a syntax tree. Anchors share the value they name, so that aliases cost nothing.
type yamlReader struct {
	anchors map[string]*value
	values  int
}

func parseYAML(raw []byte, path string, each func(*value) error) error {
	if !bytes.HasSuffix(raw, []byte("\n")) && !bytes.HasSuffix(raw, []byte("\n...")) {
		return at(path, 1+bytes.Count(raw, []byte("\n")),
			"the file does not end with a newline, as if it were cut short; end it with one")
	}
	root, err := parseTree(raw)
	if err != nil {
		return yamlFault(path, err)
	}
	top, ok := root.(*ast.SequenceNode)
	if !ok {
		return at(path, lineOf(root), "a list of clusters is wanted, each beginning with \"- \"")
	}
	r := &yamlReader{anchors: map[string]*value{}}
	for _, node := range top.Values {
		r.values = 0
		v, err := r.value(node, 0)
		if err != nil {
			return at(path, lineOf(node), "%w", err)
		}
		if err := each(v); err != nil {
			return err
		}
	}
	return nil
}

// parseTree is the one document of a text. What would make the parser fall over is a malformed file like any other, and
// must not take the peer with it.
func parseTree(raw []byte) (root ast.Node, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			root, err = nil, fmt.Errorf("the text cannot be parsed: %v", fault)
		}
	}()
	f, err := yamlparser.ParseBytes(raw, 0)
	if err != nil {
		return nil, err
	}
	for _, doc := range f.Docs {
		switch {
		case doc.Body == nil:
		case root != nil:
			return nil, errors.New("there is more than one document in the file")
		default:
			root = doc.Body
		}
	}
	if root == nil {
		return nil, errors.New("there is nothing in the file; a list of nothing is written []")
	}
	return root, nil
}

func (r *yamlReader) value(node ast.Node, depth int) (*value, error) {
	if r.values++; r.values > maxValues || depth > maxDepth {
		return nil, errors.New("holds more, or deeper, than a list of clusters can need")
	}
	v := &value{line: lineOf(node)}
	switch node := node.(type) {
	case *ast.MappingNode:
		v.kind = object
		return v, r.object(v, node.Values, depth)
	case *ast.MappingValueNode:
		v.kind = object
		return v, r.object(v, []*ast.MappingValueNode{node}, depth)
	case *ast.SequenceNode:
		v.kind = list
		for _, n := range node.Values {
			item, err := r.value(n, depth+1)
			if err != nil {
				return nil, err
			}
			v.items = append(v.items, item)
		}
	case *ast.AnchorNode:
		named, err := r.value(node.Value, depth+1)
		if err == nil {
			r.anchors[node.Name.GetToken().Value] = named
		}
		return named, err
	case *ast.AliasNode:
		named := r.anchors[node.Value.GetToken().Value]
		if named == nil {
			return nil, fmt.Errorf("line %d: nothing before it is anchored as %s", v.line, node.Value.GetToken().Value)
		}
		return named, nil
	case *ast.NullNode, nil:
	default:
		return v, scalar(v, node)
	}
	return v, nil
}

func scalar(v *value, node ast.Node) error {
	v.kind = text
	switch node := node.(type) {
	case *ast.StringNode:
		v.text = node.Value
	case *ast.LiteralNode:
		v.text = strings.TrimSuffix(node.Value.Value, "\n")
	case *ast.BoolNode:
		v.kind, v.text = boolean, node.GetToken().Value
	case *ast.IntegerNode:
		v.kind, v.text = number, integerText(node)
	case *ast.FloatNode:
		v.kind, v.text = number, node.GetToken().Value
	default:
		return fmt.Errorf("line %d: %s is not known here", v.line, strings.ToLower(node.Type().String()))
	}
	return nil
}

// integerText is a decimal number as written; others, like 0x1f, by their value.
func integerText(node *ast.IntegerNode) string {
	written := node.GetToken().Value
	if _, err := strconv.Atoi(written); err == nil {
		return written
	}
	return fmt.Sprint(node.Value)
}

func (r *yamlReader) object(v *value, pairs []*ast.MappingValueNode, depth int) error {
	for _, pair := range pairs {
		line := lineOf(pair.Key)
		key, err := r.value(pair.Key, depth+1)
		if err != nil {
			return err
		}
		name, err := key.str()
		if err != nil {
			return fmt.Errorf("line %d: a key %w", line, err)
		}
		if v.field(name) != nil {
			return fmt.Errorf("line %d: key %q is there twice", line, name)
		}
		item, err := r.value(pair.Value, depth+1)
		if err != nil {
			return err
		}
		v.fields = append(v.fields, field{key: name, line: line, value: item})
	}
	return nil
}

func lineOf(node ast.Node) int {
	switch n := node.(type) {
	case *ast.MappingNode:
		if len(n.Values) > 0 {
			return lineOf(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return lineOf(n.Key)
	}
	if node == nil || node.GetToken() == nil || node.GetToken().Position == nil {
		return 1
	}
	return node.GetToken().Position.Line
}

// yamlFault gives a parser's error a place and keeps the file's text out of it.
func yamlFault(path string, err error) error {
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) && syntax.GetToken() != nil {
		return at(path, syntax.GetToken().Position.Line, "%s", syntax.GetMessage())
	}
	message, _, _ := strings.Cut(err.Error(), "\n")
	return at(path, 1, "%s", message)
}
