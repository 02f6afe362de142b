package main

import (
	"go/parser"
	"go/token"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestImpurities(t *testing.T) {
	tests := []struct {
		name, source string
		want         []string
	}{
		{"values of time", "import \"time\"\nconst beat = 250 * time.Millisecond\nfunc f(t time.Time) { t.After(t) }", nil},
		{"a clock", "import \"time\"\nvar t = time.Since(time.Time{})", []string{"fsm reads no clock and no time zone: time.Since"}},
		{"a clock as a value", "import \"time\"\nvar now = time.Now", []string{"fsm reads no clock and no time zone: time.Now"}},
		{"a clock renamed", "import when \"time\"\nvar t = when.Now()", []string{"fsm reads no clock and no time zone: time.Now"}},
		{"a timer's type", "import \"time\"\nvar t *time.Timer", []string{"fsm reads no clock and no time zone: time.Timer"}},
		{"a clock by dot", "import . \"time\"\nvar t = Now()", []string{"fsm imports nothing by dot, which would hide what it uses"}},
		{"a method named like a clock", "var t = replica.Now()", nil},
		{"a goroutine", "func f() { go f() }", []string{"fsm starts no goroutine"}},
		{"a float type", "var lag float64", []string{"fsm computes with integers only: float64"}},
		{"a float number", "var lag = 1.5", []string{"fsm computes with integers only: 1.5"}},
		{"a float function", "import \"math\"\nvar n = int(math.Sqrt(9))", []string{"fsm computes with integers only: math.Sqrt"}},
		{"an integer's limit", "import \"math\"\nvar n = uint64(math.MaxUint64)", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file, err := parser.ParseFile(token.NewFileSet(), "fsm.go", "package fsm\n"+tt.source, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, found := range impurities(file) {
				got = append(got, found.text)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("impurities (-want +got):\n%s", diff)
			}
		})
	}
}
