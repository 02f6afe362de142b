package fsm_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/musterhq/muster/fsm"
)

// TestSettableLimits checks that what is out of bounds is refused by the name of its field, wherever it is set, and that what
// is just within is not.
func TestSettableLimits(t *testing.T) {
	guards := func(n int) []fsm.Guard {
		out := make([]fsm.Guard, n)
		for i := range out {
			out[i].MinWell = fsm.MaxNodes
		}
		return out
	}
	labels := func(n int) attrs {
		out := attrs{}
		for i := range n {
			out[fmt.Sprint("k", i)] = strings.Repeat("v", fsm.MaxText)
		}
		return out
	}
	long := strings.Repeat("x", fsm.MaxName)
	vars := func(n int) fsm.JSON { return fsm.JSON(`{"x":"` + strings.Repeat("x", n-8) + `"}`) }
	for name, test := range map[string]struct {
		set   fsm.Settable
		field string // empty: it is fine
	}{
		"nothing":              {fsm.Settable{}, ""},
		"all at its limit":     {fsm.Settable{Group: long, Labels: labels(fsm.MaxLabels), Vars: vars(fsm.MaxVars), Guards: guards(16)}, ""},
		"group too long":       {fsm.Settable{Group: long + "x"}, "group"},
		"group with a slash":   {fsm.Settable{Group: "a/b"}, "group"},
		"too many labels":      {fsm.Settable{Labels: labels(fsm.MaxLabels + 1)}, "labels"},
		"label key too long":   {fsm.Settable{Labels: attrs{long: ""}}, "labels"},
		"label value too long": {fsm.Settable{Labels: attrs{"k": long + long + long}}, "labels.k"},
		"vars too long":        {fsm.Settable{Vars: vars(fsm.MaxVars + 1)}, "vars"},
		"vars a list":          {fsm.Settable{Vars: "[1]"}, "vars"},
		"too many guards":      {fsm.Settable{Guards: guards(17)}, "guards"},
		"guard of nothing":     {fsm.Settable{Guards: []fsm.Guard{{MinWell: 1}, {}}}, "guards[1]"},
		"only a group":         {fsm.Settable{Guards: []fsm.Guard{{Group: "g"}}}, "guards[0]"},
		"guard's group":        {fsm.Settable{Guards: []fsm.Guard{{MinWell: 1}, {Group: " g", MinWell: 1}}}, "guards[1].group"},
		"below none":           {fsm.Settable{Guards: []fsm.Guard{{MinCommissioned: -1}}}, "guards[0].min_commissioned"},
		"more than can be":     {fsm.Settable{Guards: []fsm.Guard{{MinWell: fsm.MaxNodes + 1}}}, "guards[0].min_well"},
		"maintenance too":      {fsm.Settable{Guards: []fsm.Guard{{MaxMaintenance: fsm.MaxNodes + 1}}}, "guards[0].max_maintenance"},
	} {
		t.Run(name, func(t *testing.T) {
			globals, source := fsm.DefaultSettings(), spec()
			globals.Settable, source.Settable = test.set, test.set
			for where, err := range map[string]error{
				"alone": test.set.Validate(), "globals": globals.Validate(), "discovery": source.Validate(),
			} {
				var refusal *fsm.Error
				switch {
				case test.field == "" && err == nil:
				case !errors.As(err, &refusal) || refusal.Code != fsm.CodeInvalid:
					t.Errorf("%s: %v", where, err)
				case len(refusal.Fields) != 1 || refusal.Fields[test.field] == "":
					t.Errorf("%s: it names %q, want %s", where, refusal.Fields, test.field)
				}
			}
		})
	}
}

// TestSettableEqual checks that each part tells two apart, and that empty and none are one.
func TestSettableEqual(t *testing.T) {
	parts := []fsm.Settable{
		{Group: "g"},
		{Labels: attrs{"k": ""}},
		{Labels: attrs{"k": "v"}},
		{Vars: `{"x":1}`},
		{Guards: []fsm.Guard{{MinWell: 1}}},
		{Guards: []fsm.Guard{{MinWell: 1, Group: "g"}}},
	}
	none := fsm.Settable{Labels: attrs{}, Guards: []fsm.Guard{}}
	if !none.IsZero() || !none.Equal(fsm.Settable{}) {
		t.Error("empty is something")
	}
	for i, a := range parts {
		if a.IsZero() || a.Equal(none) {
			t.Errorf("%+v is nothing", a)
		}
		for j, b := range parts {
			if a.Equal(b) != (i == j) {
				t.Errorf("%+v and %+v: equal is %t", a, b, i != j)
			}
		}
	}
}

// TestLayers checks what is laid in which order: for a cluster by the oldest discovery that lists any of its nodes now, for a
// node by the oldest that lists it.
func TestLayers(t *testing.T) {
	l := flock(t, nil, "a", "b")
	l.enrol(l.discovery("e"), "c", "b", "x")
	g := func(name string) fsm.Settable { return fsm.Settable{Group: name} }
	l.globals(g("of all"))
	l.source("d", g("of d"))
	l.source("e", g("of e"))
	l.set("", g("of c"))
	l.set("x", fsm.Settable{Group: "of x", Labels: attrs{"k": "v"}})
	for name, test := range map[string]struct {
		node string
		want []string
	}{
		"cluster":                 {"", []string{"globals  of all", "discovery d of d", "cluster  of c"}},
		"node of the older":       {"a", []string{"globals  of all", "discovery d of d", "record d ", "cluster  of c", "node  "}},
		"node of both":            {"b", []string{"globals  of all", "discovery d of d", "record d ", "cluster  of c", "node  "}},
		"node of the younger one": {"x", []string{"globals  of all", "discovery e of e", "record e ", "cluster  of c", "node  of x"}},
	} {
		t.Run(name, func(t *testing.T) {
			l.t = t
			var got []string
			for _, layer := range l.layers(test.node) {
				got = append(got, fmt.Sprintf("%s %s %s", layer.From, layer.Discovery, layer.Group))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("layers (-want +got):\n%s", diff)
			}
		})
	}
	layers := l.layers("x")
	for i, want := range []string{"", "of all", "of e", "of e", "of c", "of x"} {
		if got := fsm.GroupOf(layers[:i]); got != want {
			t.Errorf("the group of the first %d layers is %q, want %q", i, got, want)
		}
	}
}

// layers is what is laid for cluster c, or for one of its nodes.
func (l *log) layers(node string) []fsm.Layer {
	r := l.state.Read()
	c := r.Cluster("c")
	if node == "" {
		return r.Layers(c, nil)
	}
	return r.Layers(c, r.Node(c.ID, node))
}

// TestLayersFollowWhoLists checks that a discovery that no longer lists a node gives way to a younger one that does, and that
// a cluster which none lists goes without.
func TestLayersFollowWhoLists(t *testing.T) {
	l := flock(t, nil, "a")
	d := l.state.Read().Discovery("d")
	l.enrol(l.discovery("e"), "c", "a")
	in := func(want string) {
		t.Helper()
		for _, node := range []string{"", "a"} {
			if got := l.layers(node)[1].Discovery; got != want {
				t.Errorf("node %q goes by discovery %q, want %q", node, got, want)
			}
		}
	}
	in("d")
	l.enrol(d, "c")
	in("e")
	l.enrol(l.state.Read().Discovery("d"), "c", "a")
	in("d")

	r := l.state.Read()
	stray := *r.Cluster("c")
	stray.ID = 99
	if got := r.Layers(&stray, nil); len(got) != 2 || got[0].From != fsm.LayerGlobals || got[1].From != fsm.LayerCluster {
		t.Errorf("without a discovery the layers are %+v", got)
	}
}

// TestJSONKeys checks that only an object has keys.
func TestJSONKeys(t *testing.T) {
	keys, err := fsm.JSONKeys(`{"a":{"b":1},"c":null}`)
	if err != nil || len(keys) != 2 || string(keys["a"]) != `{"b":1}` || string(keys["c"]) != "null" {
		t.Errorf("keys are %s, %v", keys, err)
	}
	if keys, err := fsm.JSONKeys(""); len(keys) != 0 || err != nil {
		t.Errorf("nothing has keys %s, %v", keys, err)
	}
	if _, err := fsm.JSONKeys("[1]"); err == nil {
		t.Error("a list has keys")
	}
}
