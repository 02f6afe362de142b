package discovery

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"github.com/musterhq/muster/fsm"
)

// namer makes cluster names from records with a template. It is safe for concurrent use.
type namer struct {
	tmpl   *template.Template
	fields []string // what it speaks of
	over   bool     // of .cluster among them, so it also names records that come with one
}

var errLong = errors.New("gives more than a name may hold")

// functions a template may call; all take and give short texts, so that nothing grows.
var functions = template.FuncMap{
	"lower":      bounded1(strings.ToLower),
	"upper":      bounded1(strings.ToUpper),
	"trimPrefix": func(prefix, s string) string { return strings.TrimPrefix(s, prefix) },
	"trimSuffix": func(suffix, s string) string { return strings.TrimSuffix(s, suffix) },
	"replace":    replace,
	"join":       func(sep string, list []string) (string, error) { return bound(strings.Join(list, sep)) },
	"default": func(fallback, s string) string {
		if s == "" {
			return fallback
		}
		return s
	},
}

var builtins = []string{"index", "eq", "ne", "and", "or", "not"}

func bounded1(f func(string) string) func(string) (string, error) {
	return func(s string) (string, error) { return bound(f(s)) }
}

func replace(old, with, s string) (string, error) {
	if n := strings.Count(s, old); len(s)+n*len(with) > maxExpression {
		return "", errLong
	}
	return strings.ReplaceAll(s, old, with), nil
}

func bound(s string) (string, error) {
	if len(s) > maxExpression {
		return "", errLong
	}
	return s, nil
}

// compileTemplate refuses what does not parse, names unknown fields, or could run long.
func compileTemplate(source string) (*namer, error) {
	if strings.TrimSpace(source) == "" {
		return nil, fsm.Invalid("cluster", "is empty; say how clusters are named, like {{.service}}")
	}
	if len(source) > maxExpression {
		return nil, fsm.Invalid("cluster", "is %d bytes long; at most %d are allowed", len(source), maxExpression)
	}
	t, err := template.New("cluster").Funcs(functions).Option("missingkey=error").Parse(source)
	if err != nil {
		return nil, fsm.Invalid("cluster", "does not parse: %s", templateFault(err))
	}
	if len(t.Templates()) > 1 {
		return nil, fsm.Invalid("cluster", "templates within the template are not allowed")
	}
	n := &namer{tmpl: t}
	if t.Tree == nil || t.Root == nil {
		return nil, fsm.Invalid("cluster", "gives no name")
	}
	if err := n.check(t.Root); err != nil {
		return nil, fsm.Invalid("cluster", "%s", err)
	}
	return n, nil
}

func (n *namer) check(node parse.Node) error {
	switch node := node.(type) {
	case *parse.ListNode:
		if node == nil {
			return nil
		}
		return n.checkAll(node.Nodes)
	case *parse.ActionNode:
		return n.check(node.Pipe)
	case *parse.IfNode:
		return n.checkAll([]parse.Node{node.Pipe, node.List, node.ElseList})
	case *parse.PipeNode:
		if len(node.Decl) > 0 {
			return fmt.Errorf("variables are not allowed: %s", node)
		}
		for _, c := range node.Cmds {
			if err := n.checkAll(c.Args); err != nil {
				return err
			}
		}
		return nil
	case *parse.IdentifierNode:
		if _, ok := functions[node.Ident]; ok || slices.Contains(builtins, node.Ident) {
			return nil
		}
		return fmt.Errorf("function %q is not allowed", node.Ident)
	case *parse.FieldNode:
		return n.checkField(node.Ident)
	case *parse.TextNode, *parse.CommentNode, *parse.StringNode, *parse.NumberNode, *parse.BoolNode:
		return nil
	}
	return fmt.Errorf("%s is not allowed", node)
}

func (n *namer) checkAll(nodes []parse.Node) error {
	for _, node := range nodes {
		if err := n.check(node); err != nil {
			return err
		}
	}
	return nil
}

func (n *namer) checkField(path []string) error {
	kind, ok := recordFields[path[0]]
	if !ok {
		return fmt.Errorf("no field is called .%s%s; there are %s", path[0], DidYouMean(path[0], fieldNames()),
			strings.Join(fieldNames(), ", "))
	}
	if len(path) > 2 || len(path) == 2 && kind != table {
		return fmt.Errorf(".%s goes deeper than records do", strings.Join(path, "."))
	}
	n.over = n.over || path[0] == "cluster"
	n.fields = append(n.fields, path[0])
	return nil
}

// name is the cluster of a record: its own, or what the template makes of it.
func (n *namer) name(r *fsm.Record) (string, error) {
	if r.Cluster != "" && !n.over {
		return r.Cluster, nil
	}
	var out limited
	if err := n.tmpl.Execute(&out, n.view(r)); err != nil {
		return "", fmt.Errorf("%s: cluster: %s", place(r), templateFault(err))
	}
	return strings.ReplaceAll(string(out), "/", "."), nil
}

// view is a record as the template sees it: only the fields it speaks of, since there is one for each record of a source.
func (n *namer) view(r *fsm.Record) map[string]any {
	out := make(map[string]any, len(n.fields))
	for _, field := range n.fields {
		out[field] = fieldOf(r, field)
	}
	return out
}

// fieldOf is one of recordFields.
func fieldOf(r *fsm.Record, field string) any {
	switch field {
	case "cluster":
		return cmp.Or(r.Cluster, r.Service)
	case "node":
		return r.Node
	case "address":
		return r.Address
	case "port":
		return r.Port
	case "service":
		return r.Service
	case "datacenter":
		return r.Datacenter
	case "tags":
		return r.Tags
	case "meta":
		return r.Meta
	case "labels":
		return r.Labels
	case "source":
		return r.Source
	case "probe":
		return r.Probe
	}
	return nil
}

// limited takes no more than could ever be cut down to a name, so that a template cannot fill memory.
type limited []byte

func (l *limited) Write(p []byte) (int, error) {
	if len(*l)+len(p) > 4*fsm.MaxName {
		return 0, errLong
	}
	*l = append(*l, p...)
	return len(p), nil
}

// templateFault is the part of text/template's error that speaks of the template and not of this program.
func templateFault(err error) string {
	s := strings.TrimPrefix(err.Error(), "template: ")
	return strings.TrimPrefix(s, "cluster:")
}
