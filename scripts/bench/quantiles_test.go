package main

import (
	"slices"
	"testing"
)

func TestQuantilesAreOfTheValues(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	before := slices.Clone(hundred)
	for _, test := range []struct {
		values []float64
		want   quantiles
	}{
		{hundred, quantiles{50, 90, 99, 100}},
		{[]float64{3, 1, 2}, quantiles{2, 3, 3, 3}},
		{[]float64{7}, quantiles{7, 7, 7, 7}},
		{nil, quantiles{}},
	} {
		if got := quantilesOf(test.values); got != test.want {
			t.Errorf("quantiles of %v are %+v, want %+v", test.values, got, test.want)
		}
	}
	if !slices.Equal(hundred, before) {
		t.Error("the values were put in another order")
	}
}
