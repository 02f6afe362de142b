// Tally runs `go test` with the arguments it is given, prints what go test prints (each package's closing line, and
// all that a failed test said), and ends with what was run and what was skipped, and why. `make test` uses it: go
// test itself is silent about skipped tests unless it prints every test by name. It exits 1 when go test fails, and
// when not one test passed, since a run that tested nothing must not look like one that found nothing.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
}

// run tests with the given arguments of go test and writes the report to out.
func run(ctx context.Context, args []string, out io.Writer) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("run go test: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run go test: %w", err)
	}
	t := newTally(out)
	readErr := read(events, t)
	waitErr := cmd.Wait()
	passed := t.close()
	switch {
	case waitErr != nil:
		return fmt.Errorf("go test: %w", waitErr)
	case readErr != nil:
		return readErr
	case passed == 0:
		return errors.New("no test passed")
	}
	return nil
}

// read gives the tally each event of a `go test -json` stream, and passes on what is not one, up to the stream's end.
func read(stream io.Reader, t *tally) error {
	lines := bufio.NewReader(stream)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil {
				t.add(e)
			} else {
				fmt.Fprintf(t.out, "%s", line)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read go test's output: %w", err)
		}
	}
}
