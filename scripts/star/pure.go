package main

import (
	"go/ast"
	"go/token"
	"strconv"
	"strings"
)

// clocks are the names of package time that read or wait on the wall clock, or depend on the machine's time zone.
var clocks = map[string]bool{
	"Now": true, "Since": true, "Until": true, "Sleep": true, "After": true, "AfterFunc": true, "Tick": true,
	"NewTimer": true, "NewTicker": true, "Timer": true, "Ticker": true, "Local": true, "LoadLocation": true,
}

// integerLimit reports whether a name of package math is the limit of an integer type.
func integerLimit(name string) bool {
	return strings.HasPrefix(name, "MaxInt") || strings.HasPrefix(name, "MinInt") || strings.HasPrefix(name, "MaxUint")
}

// finding is one offence at one place.
type finding struct {
	pos  token.Pos
	text string
}

// impurities lists what a file of fsm does that two peers applying one log could do differently.
func impurities(file *ast.File) []finding {
	var found []finding
	add := func(node ast.Node, text string) { found = append(found, finding{node.Pos(), text}) }
	times, maths := importNames(file, "time"), importNames(file, "math")
	ast.Inspect(file, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.GoStmt:
			add(n, "fsm starts no goroutine")
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			switch {
			case !ok:
			case times[x.Name] && clocks[n.Sel.Name]:
				add(n, "fsm reads no clock and no time zone: time."+n.Sel.Name)
			case maths[x.Name] && !integerLimit(n.Sel.Name):
				add(n, "fsm computes with integers only: math."+n.Sel.Name)
			}
		case *ast.Ident:
			switch n.Name {
			case "float32", "float64", "complex64", "complex128":
				add(n, "fsm computes with integers only: "+n.Name)
			}
		case *ast.BasicLit:
			if n.Kind == token.FLOAT || n.Kind == token.IMAG {
				add(n, "fsm computes with integers only: "+n.Value)
			}
		case *ast.ImportSpec:
			if n.Name != nil && n.Name.Name == "." {
				add(n, "fsm imports nothing by dot, which would hide what it uses")
			}
		}
		return true
	})
	return found
}

// importNames are the names by which a file knows an imported package.
func importNames(file *ast.File, target string) map[string]bool {
	names := make(map[string]bool)
	for _, spec := range file.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err != nil || name != target {
			continue
		}
		if spec.Name != nil {
			names[spec.Name.Name] = true
		} else {
			names[target] = true
		}
	}
	return names
}
