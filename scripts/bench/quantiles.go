package main

import (
	"math"
	"slices"
)

// quantiles of some values, by nearest rank: each is one of the values.
type quantiles struct{ P50, P90, P99, Max float64 }

// quantilesOf looks at values in any order and leaves them as they are. Of none, all quantiles are 0.
func quantilesOf(values []float64) quantiles {
	if len(values) == 0 {
		return quantiles{}
	}
	sorted := slices.Sorted(slices.Values(values))
	at := func(q float64) float64 { return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)] }
	return quantiles{P50: at(0.5), P90: at(0.9), P99: at(0.99), Max: sorted[len(sorted)-1]}
}
