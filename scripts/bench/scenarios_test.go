package main

import (
	"context"
	"flag"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// played is a measurement for tests; what it lacks it does not do.
type played struct {
	flag    func(*flag.FlagSet)
	measure func(context.Context, *bench, *result) error
}

func (p played) flags(f *flag.FlagSet) {
	if p.flag != nil {
		p.flag(f)
	}
}

func (p played) run(ctx context.Context, b *bench, out *result) error { return p.measure(ctx, b, out) }

func names(all []scenario) []string {
	var out []string
	for _, s := range all {
		out = append(out, s.name)
	}
	return out
}

func TestScenariosRunInOrderAndSomeOnlyWhenNamed(t *testing.T) {
	all := []scenario{{name: "a"}, {name: "b", asked: true}, {name: "c"}}
	for _, test := range []struct{ ask, want []string }{
		{nil, []string{"a", "c"}},
		{[]string{"c", "b"}, []string{"b", "c"}},
		{[]string{"a"}, []string{"a"}},
	} {
		got, err := pick(all, test.ask)
		if diff := cmp.Diff(test.want, names(got)); err != nil || diff != "" {
			t.Errorf("asked for %v (-want +got): %v\n%s", test.ask, err, diff)
		}
	}
	if _, err := pick(all, []string{"a", "-profile"}); err == nil {
		t.Error("what is no scenario was taken for one")
	}
}

func TestSettingsOfAScenario(t *testing.T) {
	depth := func(f *flag.FlagSet) { f.Int("depth", 7, "") }
	width := func(f *flag.FlagSet) { f.Int("width", 8, "") }
	all := []scenario{
		{name: "a", measurement: played{flag: depth}},
		{name: "b", measurement: played{flag: width}},
		{name: "c", measurement: played{}},
	}
	var s settings
	f, own := flagSet(all, &s)
	if err := f.Parse([]string{"-depth", "9", "-peers", "5", "a"}); err != nil {
		t.Fatal(err)
	}
	got := values(f, own, "a")
	_, other := got["width"]
	_, results := got["results"]
	if s.peers != 5 || got["depth"] != "9" || got["peers"] != "5" || got["nodes"] != "10" || other || results {
		t.Errorf("settings are %v", got)
	}
	if got := values(f, own, "c"); got["depth"] != "" || got["peers"] != "5" {
		t.Errorf("settings of a scenario without flags are %v", got)
	}
}

// TestEveryScenarioIsListed also fails when two scenarios have a name or a flag in common.
func TestEveryScenarioIsListed(t *testing.T) {
	all := scenarios()
	var s settings
	f, _ := flagSet(all, &s)
	var b strings.Builder
	f.SetOutput(&b)
	f.Usage()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range all {
		if c.about == "" || c.measurement == nil || !strings.Contains(b.String(), "  "+c.name+" ") ||
			!strings.Contains(b.String(), c.about) {
			t.Errorf("%s is not listed with what it is about", c.name)
		}
		if row := regexp.MustCompile(`(?m)^\| \[?` + c.name + `\b`); !row.Match(readme) {
			t.Errorf("%s is not in README's table", c.name)
		}
		if slices.Contains(names(all[:i]), c.name) {
			t.Errorf("there are two scenarios named %s", c.name)
		}
	}
	if err := program(t.Context(), []string{"nothing"}, io.Discard); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("asked for a scenario that there is none of: %v", err)
	}
}

func TestMeasuredScenariosArePrintedAndSaved(t *testing.T) {
	b := &bench{bin: "built", dir: t.TempDir(), settings: settings{results: t.TempDir()}}
	s := scenario{name: "a", measurement: played{measure: func(ctx context.Context, b *bench, out *result) error {
		_, err := b.rig(ctx)
		out.add(figure{Name: "height", Value: 2, Unit: "m"})
		return err
	}}}
	var to strings.Builder
	if err := b.measured(t.Context(), s, newResult(t.Context(), "a", nil), &to); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(to.String(), "height") || !strings.Contains(to.String(), "/a.json") || len(b.rigs) != 0 {
		t.Errorf("printed %q, %d rigs are left", to.String(), len(b.rigs))
	}
}

func TestSizes(t *testing.T) {
	var s sizes
	if err := s.Set("500, 10k,2500"); err != nil || !slices.Equal(s, sizes{500, 10000, 2500}) || s.String() != "500,10k,2500" {
		t.Errorf("%v, written %s, %v", []int(s), s.String(), err)
	}
	for _, wrong := range []string{"", "10m", "0", "-1", "1,,2"} {
		if err := s.Set(wrong); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
}
