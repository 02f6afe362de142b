package backendtest

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/musterhq/muster/discovery"
	"github.com/musterhq/muster/fsm"
)

// Subject is a backend over a source that the suite can rule.
type Subject struct {
	Backend discovery.Backend

	// Put makes the source list exactly these records and heals whatever a fault broke. Cluster, Node, Address, Port and
	// Labels are to come back from a Read; a record's Cluster may come back as its Service.
	Put func(t *testing.T, records []fsm.Record)

	// Name is what nudges call the place that lists a cluster.
	Name func(cluster string) string

	// Faults each break the source in one way that a Read must not take for an answer.
	Faults map[string]func(t *testing.T)

	// Twice makes the source list one node twice; nil where it cannot.
	Twice func(t *testing.T)

	// Hang makes the source accept reads and not answer them until the test ends; nil where it cannot.
	Hang func(t *testing.T)
}

const patience = 20 * time.Second

// Run holds a backend to the contract; open makes a Subject of its own for each test.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, s Subject)
	}{
		{"reads the whole set", readsAll},
		{"reads what is named", readsNamed},
		{"faults are errors", faultsAreErrors},
		{"a node listed twice is an error", twiceIsError},
		{"ends with its context", endsWithContext},
		{"reads side by side", readsSideBySide},
		{"watches", watches},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, before) }) // cleanups run last in, first out: after the subject's own
			s := open(t)
			t.Cleanup(func() { closeBackend(t, s.Backend) })
			c.run(t, s)
		})
	}
}

func closeBackend(t *testing.T, b discovery.Backend) {
	if c, ok := b.(io.Closer); ok {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

func node(cluster, id string, port int) fsm.Record {
	return fsm.Record{
		Cluster: cluster, Node: id, Address: "10.0.0.7", Port: port, Labels: map[string]string{"zone": "a", "rack": id},
	}
}

func roll() []fsm.Record {
	return []fsm.Record{
		node("orders", "orders-1", 8655), node("orders", "orders-2", 8656), node("users", "users-1", 8657),
		node("users", "db/users-2", 8658),
		{Cluster: "plain", Node: "plain-1", Address: "10.0.0.9", Port: 1},
	}
}

// read is one read, shaped as with the default settings.
func read(ctx context.Context, b discovery.Backend, names ...string) ([]fsm.Record, error) {
	records, err := b.Read(ctx, discovery.Want{Names: names})
	if err != nil {
		if len(records) > 0 {
			return nil, errors.New("an error came with records")
		}
		return nil, err
	}
	shape, err := discovery.Shape(fsm.DefaultSpec())
	if err != nil {
		return nil, err
	}
	return shape(records)
}

func want(t *testing.T, b discovery.Backend, expected []fsm.Record, names ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, err := read(ctx, b, names...)
	if err != nil {
		t.Fatalf("read %q: %v", names, err)
	}
	for _, r := range got {
		if r.Source == "" {
			t.Errorf("node %q does not say where it was read", r.Node)
		}
	}
	if diff := cmp.Diff(essence(expected), essence(got)); diff != "" {
		t.Fatalf("read %q (-want +got):\n%s", names, diff)
	}
}

// essence is what of records every backend carries, sorted.
func essence(records []fsm.Record) []fsm.Record {
	out := []fsm.Record{}
	for _, r := range records {
		labels := r.Labels
		if len(labels) == 0 {
			labels = nil
		}
		out = append(out, fsm.Record{Cluster: r.Cluster, Node: r.Node, Address: r.Address, Port: r.Port, Labels: labels})
	}
	slices.SortFunc(out, func(a, b fsm.Record) int {
		return strings.Compare(a.Cluster+"\x00"+a.Node, b.Cluster+"\x00"+b.Node)
	})
	return out
}

func readsAll(t *testing.T, s Subject) {
	s.Put(t, roll())
	want(t, s.Backend, roll())
	fewer := roll()[1:]
	fewer[0].Port = 9000
	s.Put(t, fewer)
	want(t, s.Backend, fewer)
	want(t, s.Backend, fewer)
}

func readsNamed(t *testing.T, s Subject) {
	s.Put(t, roll())
	want(t, s.Backend, roll()[:2], s.Name("orders"))
	want(t, s.Backend, roll()[:4], s.Name("users"), s.Name("orders"))
	want(t, s.Backend, nil, s.Name("nobody"))
}

func faultsAreErrors(t *testing.T, s Subject) {
	if len(s.Faults) == 0 {
		t.Fatal("the subject names no faults")
	}
	for name, fault := range s.Faults {
		t.Run(name, func(t *testing.T) {
			s.Put(t, roll())
			fault(t)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if got, err := read(ctx, s.Backend); err == nil {
				t.Errorf("read gave %d records and no error", len(got))
			} else if ctx.Err() != nil {
				t.Errorf("read took until its deadline: %v", err)
			}
			s.Put(t, roll())
			want(t, s.Backend, roll())
		})
	}
}

func twiceIsError(t *testing.T, s Subject) {
	s.Put(t, roll())
	if s.Twice == nil {
		return
	}
	s.Twice(t)
	if _, err := read(t.Context(), s.Backend); !errors.Is(err, discovery.ErrDuplicate) {
		t.Errorf("read: %v; wanted: %v", err, discovery.ErrDuplicate)
	}
}

func endsWithContext(t *testing.T, s Subject) {
	s.Put(t, roll())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := read(ended, s.Backend); !errors.Is(err, context.Canceled) {
		t.Errorf("read with an ended context: %v; wanted: %v", err, context.Canceled)
	}
	if s.Hang == nil {
		return
	}
	s.Hang(t)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := read(short, s.Backend); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("read of a source that hangs: %v; wanted: %v", err, context.DeadlineExceeded)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("read ended %s after it began, its deadline was 50ms", took)
	}
}

func readsSideBySide(t *testing.T, s Subject) {
	s.Put(t, roll())
	group, ctx := errgroup.WithContext(t.Context())
	for i := range 8 {
		names := [][]string{nil, {s.Name("orders")}}[i%2]
		count := []int{len(roll()), 2}[i%2]
		group.Go(func() error {
			for range 5 {
				got, err := read(ctx, s.Backend, names...)
				if err != nil {
					return err
				}
				if len(got) != count {
					return errors.New("a read gave a part")
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}
