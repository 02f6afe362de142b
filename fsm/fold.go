package fsm

import (
	"bytes"
	"fmt"
)

// Fold applies one fact to a view: the only way a view changes, in Apply, in proposers and in tests alike. Rows are
// replaced, never changed. It refuses a fact whose before is not what the view holds, or whose subject is not there, and
// then leaves the view as it was. Folding the Reverse of facts in reverse order unfolds them.
func Fold(v *View, f Fact) error {
	l, err := lensOf(f.Type)
	if err != nil {
		return err
	}
	now := l.get(v, &f)
	if l != wholeLens && f.Node != "" && v.Nodes[f.Node] == nil {
		return fmt.Errorf("%s: there is no node %q", f.Type, f.Node)
	}
	if f.Type != ClusterDiscovered && f.Type != ClusterRemoved && v.Cluster == nil {
		return fmt.Errorf("%s: there is no cluster", f.Type)
	}
	if !samePart(now, f.Before) {
		return fmt.Errorf("%s %s %s: before is not what the view holds", f.Type, f.Node, f.Shard)
	}
	l.set(v, &f, f.After)
	return nil
}

// FoldAll folds facts in order, up to the first that is refused.
func FoldAll(v *View, facts []Fact) error {
	for _, f := range facts {
		if err := Fold(v, f); err != nil {
			return err
		}
	}
	return nil
}

// Unfold takes a fact back: the view is as before it.
func Unfold(v *View, f Fact) error { return Fold(v, f.Reverse()) }

// samePart compares two parts by their canonical encoding, in which absent and empty are one.
func samePart(a, b Part) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return bytes.Equal(mustEncode(a), mustEncode(b))
}
