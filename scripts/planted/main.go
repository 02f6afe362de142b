package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "planted:", err)
		os.Exit(1)
	}
}

// errMissed: a bug went unnoticed.
var errMissed = errors.New("not every planted bug was caught")

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("planted", flag.ContinueOnError)
	times := flags.Int("times", 3, "how often each test must catch its bug")
	list := flags.Bool("list", false, "list the bugs and plant none")
	verbose := flags.Bool("v", false, "show what the tests say of the bugs")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var numbers []int
	for _, arg := range flags.Args() {
		n, err := strconv.Atoi(arg)
		if err != nil {
			return fmt.Errorf("%q is no number of a bug", arg)
		}
		numbers = append(numbers, n)
	}
	bugs, err := chosen(numbers)
	if err != nil {
		return err
	}
	if *list {
		return show(out, bugs)
	}
	f, err := newField(ctx, *times)
	if err != nil {
		return err
	}
	defer f.close()
	f.verbose = *verbose
	return f.plantAll(ctx, bugs, out)
}

// show lists bugs.
func show(out io.Writer, bugs []bug) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, b := range bugs {
		for _, c := range b.caught {
			fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s %s\n", b.number, b.words, b.file, c.layer, c.pkg, c.run)
		}
	}
	return w.Flush()
}

// plantAll plants bugs one after the other, with a row for each that must catch it.
func (f *field) plantAll(ctx context.Context, bugs []bug, out io.Writer) error {
	missed, began := 0, time.Now()
	fmt.Fprintf(out, "%-4s%-58s %-13s %-50s %-7s%s\n", "bug", "planted", "layer", "test", "caught", "seconds")
	for i := range bugs {
		f.weed()
		for _, c := range bugs[i].caught {
			r := f.plant(ctx, &bugs[i], c)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			fmt.Fprintf(out, "%-4d%-58s %-13s %-50s %-7s%.0f\n", bugs[i].number, bugs[i].words, c.layer,
				strings.TrimPrefix(c.pkg, "./")+" "+c.run, fmt.Sprintf("%d/%d", r.caught, f.times), r.took.Seconds())
			if r.caught < f.times {
				missed++
				fmt.Fprintf(out, "    %v\n", r.why)
			} else if f.verbose {
				fmt.Fprintln(out, r.said)
			}
		}
	}
	fmt.Fprintf(out, "%d bugs in %.0f s, %d tests missed theirs\n", len(bugs), time.Since(began).Seconds(), missed)
	if missed > 0 {
		return errMissed
	}
	return nil
}
