package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// scenario is one thing that is measured.
type scenario struct {
	name, about string
	asked       bool // run only when it is asked for by name
	measurement
}

// measurement is what a scenario does.
type measurement interface {
	// flags adds those that this scenario alone has.
	flags(f *flag.FlagSet)
	// run measures and adds to the result. What it starts in rigs ends with it.
	run(ctx context.Context, b *bench, out *result) error
}

// scenarios are all there are, in the order in which they run.
func scenarios() []scenario {
	return []scenario{
		{"refresh", "CPU of an unchanged node refresh beside bare GETs and Prometheus", false, &refresh{}},
		{"scale", "10,000 to 100,000 nodes: CPU, memory, log, lateness, API latency", false, &scale{}},
		{"detection", "from a change in Consul or of a node to its event, and what silent nodes delay", false, &detection{}},
		{"failover", "the leader is killed under load, again and again", false, &failover{}},
		{"restart", "snapshots of 100,000 nodes, a peer started again, an empty one joining", false, &restart{}},
		{"events", "new events to many followers, some of them slow; catching up kept ones", false, &events{}},
		{"discovery", "100,000 instances in Consul: whole runs, one change, an idle minute, the first refreshes", false, &large{}},
		{"million", "the sums for 10,000 to 1,000,000 nodes: the state and the scheduler in virtual time", true, &simulated{}},
	}
}

// children are what this program does when it runs itself, so that the CPU of it can be told apart.
func children() map[string]func(ctx context.Context, args []string, to io.Writer) error {
	return map[string]func(context.Context, []string, io.Writer) error{
		"baseline": baselineChild,
		"reader":   readerChild,
		"audience": audienceChild,
	}
}

// pick finds the scenarios with these names, in their order; without names, all that need not be asked for.
func pick(all []scenario, names []string) ([]scenario, error) {
	var out []scenario
	for _, s := range all {
		if slices.Contains(names, s.name) || len(names) == 0 && !s.asked {
			out = append(out, s)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(s scenario) bool { return s.name == name }) {
			return nil, fmt.Errorf("there is no scenario %q, and flags stand before the names; -h lists them", name)
		}
	}
	return out, nil
}

// flagSet has the common flags and those of every scenario; own says whose the latter are.
func flagSet(all []scenario, s *settings) (f *flag.FlagSet, own map[string]string) {
	f, own = flag.NewFlagSet("bench", flag.ContinueOnError), map[string]string{}
	s.flags(f)
	for _, c := range all {
		mine := flag.NewFlagSet(c.name, flag.ContinueOnError)
		c.flags(mine)
		mine.VisitAll(func(x *flag.Flag) {
			f.Var(x.Value, x.Name, x.Usage+" ("+c.name+")")
			own[x.Name] = c.name
		})
	}
	f.Usage = func() { usage(f, all) }
	return f, own
}

// values are the flags that a scenario was run with.
func values(f *flag.FlagSet, own map[string]string, scenario string) map[string]string {
	out := map[string]string{}
	f.VisitAll(func(x *flag.Flag) {
		if whose, ok := own[x.Name]; x.Name != "results" && (!ok || whose == scenario) {
			out[x.Name] = x.Value.String()
		}
	})
	return out
}

func usage(f *flag.FlagSet, all []scenario) {
	to := f.Output()
	var b strings.Builder
	for _, s := range all {
		alone := ""
		if s.asked {
			alone = " (only when named)"
		}
		fmt.Fprintf(&b, "  %-12s %s%s\n", s.name, s.about, alone)
	}
	fmt.Fprintf(to, `Measures muster on this machine.

Usage: go run ./scripts/bench [flags] [SCENARIO ...]

Scenarios, all but those marked when none is named:
%s
Examples:
  go run ./scripts/bench
  go run ./scripts/bench -profile refresh
  go run ./scripts/bench -clusters 200 -measure 10s -results /tmp/results refresh

Flags:
`, b.String())
	f.PrintDefaults()
}
