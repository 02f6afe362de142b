package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// A register is one variable of one cluster's settings. Values are never written twice, and 0 is that none was.
type register struct {
	cluster, name string
}

// verb is what a call did to a register.
type verb string

const (
	write verb = "write"
	read  verb = "read"
	swap  verb = "swap" // a write that names the version at which the value was another
)

// input is what a client called.
type input struct {
	register
	verb  verb
	value int // written
	was   int // of a swap: the value at the version it named
}

// output is what it was answered.
type output struct {
	value   int // read
	unknown bool
}

// model is a register as porcupine steps it. Calls that were surely refused are not in a history.
var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		by := map[register][]porcupine.Operation{}
		for _, op := range history {
			r := op.Input.(input).register
			by[r] = append(by[r], op)
		}
		var out [][]porcupine.Operation
		for _, ops := range by {
			out = append(out, ops)
		}
		return out
	},
	Init: func() any { return 0 },
	Step: func(state, in, out any) (bool, any) {
		value, call, answer := state.(int), in.(input), out.(output)
		switch {
		case call.verb == read:
			return answer.value == value, value
		case call.verb == write:
			return true, call.value
		case value == call.was:
			return true, call.value
		default:
			// A swap whose version had moved changed nothing, and was not acknowledged.
			return answer.unknown, value
		}
	},
	Equal: func(a, b any) bool { return a == b },
	DescribeOperation: func(in, out any) string {
		call, answer := in.(input), out.(output)
		return fmt.Sprintf("%s %s/%s value %d was %d: %+v", call.verb, call.cluster, call.name, call.value, call.was, answer)
	},
}

// narrowed is a history with what says the same and is judged much sooner: reads without a known answer say nothing; a write
// with an unknown outcome whose value nobody saw may have taken effect after all else; one whose value was seen did so before
// that answer came.
func narrowed(history []porcupine.Operation) []porcupine.Operation {
	type written struct {
		register
		value int
	}
	seen := map[written]int64{}
	for _, op := range history {
		call, answer := op.Input.(input), op.Output.(output)
		value := answer.value
		switch {
		case answer.unknown || call.verb == write:
			continue
		case call.verb == swap:
			value = call.was
		}
		k := written{call.register, value}
		if at, ok := seen[k]; !ok || op.Return < at {
			seen[k] = op.Return
		}
	}
	var out []porcupine.Operation
	for _, op := range history {
		call := op.Input.(input)
		if op.Output.(output).unknown {
			at, ok := seen[written{call.register, call.value}]
			if call.verb == read || !ok {
				continue
			}
			op.Return = max(at, op.Call+1)
		}
		out = append(out, op)
	}
	return out
}

// linearizable names the registers whose histories are not, or were not decided within the time for each.
func linearizable(history []porcupine.Operation, within time.Duration) (wrong []string) {
	for _, ops := range model.Partition(narrowed(history)) {
		one := model
		one.Partition = nil
		switch porcupine.CheckOperationsTimeout(one, ops, within) {
		case porcupine.Illegal:
			wrong = append(wrong, fmt.Sprintf("%v is not linearizable:\n%s", ops[0].Input.(input).register, describe(ops)))
		case porcupine.Unknown:
			wrong = append(wrong, fmt.Sprintf("%v: %d calls could not be judged within %s", ops[0].Input.(input).register, len(ops), within))
		}
	}
	slices.Sort(wrong)
	return wrong
}

// describe tells a history by the time of its calls, up to a hundred of them.
func describe(ops []porcupine.Operation) string {
	ops = slices.Clone(ops)
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	var lines []string
	for _, op := range ops[:min(len(ops), 100)] {
		lines = append(lines, fmt.Sprintf("  %s–%s %s",
			time.Duration(op.Call), time.Duration(op.Return), model.DescribeOperation(op.Input, op.Output)))
	}
	return strings.Join(lines, "\n")
}
