package fsm

import (
	"bytes"
	"fmt"
)

// Fold applies one fact to a view: the only way a view changes, in Apply, in proposers and in tests alike. Rows are
// replaced, never changed. It refuses a fact whose before is not what the view holds, whose subject is not there, or that
// changes nothing, and then leaves the view as it was. Folding the Reverse of facts in reverse order unfolds them: a fact
// whose after does not come back from the view as it was told could not be unfolded, and is refused too.
func Fold(v *View, f Fact) error { return f.wire().fold(v, &f) }

// fold folds f, whose encoding w is.
func (w wireFact) fold(v *View, f *Fact) error {
	l, err := lensOf(f.Type)
	if err != nil {
		return err
	}
	if err := l.aimed(v, f); err != nil {
		return err
	}
	switch {
	case !bytes.Equal(w.Before, partBytes(l.get(v, f))):
		return fmt.Errorf("%s %s %s: before is not what the view holds", f.Type, f.Node, f.Shard)
	case bytes.Equal(w.Before, w.After):
		return fmt.Errorf("%s %s %s: after is the same as before", f.Type, f.Node, f.Shard)
	}
	cluster, node := v.Cluster, v.Nodes[f.Node]
	l.set(v, f, f.After)
	if bytes.Equal(w.After, partBytes(l.get(v, f))) {
		return nil
	}
	if v.Cluster = cluster; node != nil {
		v.Nodes[f.Node] = node
	} else {
		delete(v.Nodes, f.Node)
	}
	return fmt.Errorf("%s %s %s: after is nothing that the view can hold", f.Type, f.Node, f.Shard)
}

// aimed says whether a fact is about something that is there, and tells what may be told of it.
func (l *lens) aimed(v *View, f *Fact) error {
	switch {
	case l.whole && l.node == (f.Node != ""):
		if l.node && v.Cluster == nil {
			return fmt.Errorf("%s: there is no cluster", f.Type)
		}
		return nil
	case l.node != (f.Node != ""):
		return fmt.Errorf("%s: is not told of node %q", f.Type, f.Node)
	case v.Cluster == nil:
		return fmt.Errorf("%s: there is no cluster", f.Type)
	case l.node && v.Nodes[f.Node] == nil:
		return fmt.Errorf("%s: there is no node %q", f.Type, f.Node)
	case f.After == nil && !l.goes:
		return fmt.Errorf("%s: has no after", f.Type)
	case f.After == nil && l.bears != nil && l.bears(v, f):
		return fmt.Errorf("%s %s %s: something told apart still hangs on it", f.Type, f.Node, f.Shard)
	}
	return nil
}

// FoldAll folds facts in order, up to the first that is refused.
func FoldAll(v *View, facts []Fact) error { return foldAll(v, facts, nil) }

// foldAll is FoldAll, and adds the encodings of the facts to wire when that is not nil.
func foldAll(v *View, facts []Fact, wire *[]wireFact) error {
	for len(facts) > 0 {
		n := max(seatsAhead(facts), 1)
		together := n > 1 && v.Cluster != nil && foldSeats(v, facts[:n])
		for i := range facts[:n] {
			if together && wire == nil {
				break
			}
			w := facts[i].wire()
			if !together {
				if err := w.fold(v, &facts[i]); err != nil {
					return err
				}
			}
			if wire != nil {
				*wire = append(*wire, w)
			}
		}
		facts = facts[n:]
	}
	return nil
}

// Unfold takes a fact back: the view is as before it.
func Unfold(v *View, f Fact) error { return Fold(v, f.Reverse()) }

// partBytes is a part's canonical encoding, in which absent and empty are one; nil for a part that is not there.
func partBytes(p Part) []byte {
	if p == nil {
		return nil
	}
	return mustEncode(p)
}
