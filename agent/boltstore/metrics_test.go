package boltstore_test

import (
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/musterhq/muster/agent/boltstore"
)

// gather returns each metric's value; of a histogram, how many were observed.
func gather(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		m := family.GetMetric()[0]
		values[family.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue() +
			float64(m.GetHistogram().GetSampleCount())
	}
	return values
}

func TestMetrics(t *testing.T) {
	path := filePath(t)
	errDisk := errors.New("input/output error")
	failing := false
	cfg := boltstore.Config{Path: path, Registerer: prometheus.NewRegistry(), BeforeCommit: func() error {
		if failing {
			return errDisk
		}
		return nil
	}}
	registry := cfg.Registerer.(*prometheus.Registry)
	store := open(t, cfg)
	storeLogs(t, store, entries(1, 1000)...)
	if err := store.DeleteRange(1, 990); err != nil {
		t.Fatal(err)
	}
	if err := store.SetUint64([]byte("CurrentTerm"), 4); err != nil {
		t.Fatal(err)
	}

	written := len("CurrentTerm") + 8
	for _, log := range entries(1, 1000) {
		written += 8 + len(foreignValue(t, withTrailer(*log)))
	}
	stat, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	got := gather(t, registry)
	free := got["muster_boltstore_free_pages"]
	if free < 5 {
		t.Errorf("%v free pages after 990 of 1000 entries were deleted", free)
	}
	want := map[string]float64{
		"muster_boltstore_entries":                10,
		"muster_boltstore_written_bytes_total":    float64(written),
		"muster_boltstore_write_duration_seconds": 4,
		"muster_boltstore_file_size_bytes":        float64(stat.Size()),
		"muster_boltstore_free_pages":             free,
		"muster_boltstore_latched":                0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	failing = true
	if err := store.StoreLog(entry(1001)); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	if got := gather(t, registry); got["muster_boltstore_latched"] != 1 || got["muster_boltstore_entries"] != 10 {
		t.Errorf("after the latch: %v", got)
	}
	closeStore(t, store)
	if got := gather(t, registry); len(got) != 0 {
		t.Errorf("a closed store still shows %v", got)
	}

	failing = false
	open(t, cfg)
	if got := gather(t, registry)["muster_boltstore_entries"]; got != 10 {
		t.Errorf("a reopened store counts %v entries, want 10", got)
	}
}
