package main

import (
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

var reg = register{cluster: "orders", name: "r1"}

// when is when a call began and ended.
type when [2]int64

// op is a call.
func op(w when, v verb, value, was int, out output) porcupine.Operation {
	return porcupine.Operation{Input: input{register: reg, verb: v, value: value, was: was}, Call: w[0], Return: w[1], Output: out}
}

func TestLinearizable(t *testing.T) {
	var (
		done    = output{}
		unknown = output{unknown: true}
		sees    = func(value int) output { return output{value: value} }
	)
	for name, c := range map[string]struct {
		history []porcupine.Operation
		wrong   bool
	}{
		"nothing":                     {},
		"write then read":             {history: []porcupine.Operation{op(when{0, 1}, write, 1, 0, done), op(when{2, 3}, read, 0, 0, sees(1))}},
		"read of what was before":     {history: []porcupine.Operation{op(when{0, 1}, write, 1, 0, done), op(when{2, 3}, read, 0, 0, sees(0))}, wrong: true},
		"either while it is written":  {history: []porcupine.Operation{op(when{0, 5}, write, 1, 0, done), op(when{1, 2}, read, 0, 0, sees(0)), op(when{3, 4}, read, 0, 0, sees(1))}},
		"back again":                  {history: []porcupine.Operation{op(when{0, 9}, write, 1, 0, done), op(when{1, 2}, read, 0, 0, sees(1)), op(when{3, 4}, read, 0, 0, sees(0))}, wrong: true},
		"unknown and never seen":      {history: []porcupine.Operation{op(when{0, 1}, write, 1, 0, unknown), op(when{2, 3}, read, 0, 0, sees(0))}},
		"unknown and seen later":      {history: []porcupine.Operation{op(when{0, 1}, write, 1, 0, unknown), op(when{2, 3}, read, 0, 0, sees(0)), op(when{4, 5}, read, 0, 0, sees(1))}},
		"unknown, seen and gone":      {history: []porcupine.Operation{op(when{0, 1}, write, 1, 0, unknown), op(when{2, 3}, read, 0, 0, sees(1)), op(when{4, 5}, read, 0, 0, sees(0))}, wrong: true},
		"seen before it was called":   {history: []porcupine.Operation{op(when{4, 5}, write, 1, 0, unknown), op(when{2, 3}, read, 0, 0, sees(1))}, wrong: true},
		"never written":               {history: []porcupine.Operation{op(when{2, 3}, read, 0, 0, sees(7))}, wrong: true},
		"swap":                        {history: []porcupine.Operation{op(when{0, 1}, write, 1, 0, done), op(when{2, 3}, swap, 2, 1, done), op(when{4, 5}, read, 0, 0, sees(2))}},
		"swap over another value":     {history: []porcupine.Operation{op(when{0, 1}, write, 1, 0, done), op(when{2, 3}, swap, 2, 0, done)}, wrong: true},
		"two swaps of one value":      {history: []porcupine.Operation{op(when{0, 5}, swap, 1, 0, done), op(when{0, 5}, swap, 2, 0, done)}, wrong: true},
		"unknown swap that came late": {history: []porcupine.Operation{op(when{0, 1}, swap, 1, 0, unknown), op(when{2, 3}, write, 2, 0, done), op(when{4, 5}, read, 0, 0, sees(2))}},
		"unknown swap over another":   {history: []porcupine.Operation{op(when{0, 1}, write, 2, 0, done), op(when{2, 3}, swap, 1, 0, unknown), op(when{4, 5}, read, 0, 0, sees(1))}, wrong: true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := linearizable(c.history, time.Minute); len(got) > 0 != c.wrong {
				t.Errorf("wrong: %q", got)
			}
		})
	}
}

// TestRegistersAreJudgedAlone: what is right of one says nothing of another.
func TestRegistersAreJudgedAlone(t *testing.T) {
	other := op(when{0, 1}, write, 5, 0, output{})
	other.Input = input{register: register{cluster: "orders", name: "r2"}, verb: write, value: 5}
	got := linearizable([]porcupine.Operation{other, op(when{2, 3}, read, 0, 0, output{value: 5})}, time.Minute)
	if len(got) != 1 || !strings.Contains(got[0], "orders r1") {
		t.Errorf("wrong: %q", got)
	}
}

// TestUndecidedIsWrong: many overlapping calls cannot be judged in no time.
func TestUndecidedIsWrong(t *testing.T) {
	var history []porcupine.Operation
	for i := range 40 {
		history = append(history, op(when{0, 1000}, write, i+1, 0, output{}), op(when{0, 1000}, read, 0, 0, output{value: (i * 7 % 40) + 1}))
	}
	history = append(history, op(when{2000, 2001}, read, 0, 0, output{value: 77}))
	if got := linearizable(history, time.Millisecond); len(got) != 1 || !strings.Contains(got[0], "could not be judged") {
		t.Errorf("wrong: %q", got)
	}
}
