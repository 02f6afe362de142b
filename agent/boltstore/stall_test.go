package boltstore_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/musterhq/muster/agent/boltstore"
)

// stallable is a store whose writes, once armed, take as long as the test wants.
type stallable struct {
	*boltstore.Store
	armed   atomic.Bool
	release chan struct{}
	path    string
}

func openStallable(t *testing.T, path string, timeout time.Duration) *stallable {
	t.Helper()
	s := &stallable{release: make(chan struct{}), path: path}
	store, err := boltstore.Open(boltstore.Config{Path: path, WriteTimeout: timeout, BeforeCommit: func() error {
		if s.armed.Load() {
			<-s.release
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.Store = store
	storeLogs(t, store, entry(1))
	s.armed.Store(true)
	return s
}

func TestStalledWriteIsReportedWhileItHangs(t *testing.T) {
	for name, c := range map[string]struct{ configured, want time.Duration }{
		"default":    {0, 10 * time.Second},
		"configured": {3 * time.Second, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			path := filePath(t)
			synctest.Test(t, func(t *testing.T) {
				s := openStallable(t, path, c.configured)
				begun := time.Now()
				err := s.StoreLog(entry(2))
				if took := time.Since(begun); took != c.want {
					t.Errorf("reported after %s, want %s", took, c.want)
				}
				if !errors.Is(err, boltstore.ErrStalled) {
					t.Errorf("got %v, want ErrStalled", err)
				}
				wantLatched(t, s.Store, boltstore.ErrStalled)
				wantEntries(t, s.Store, entry(1))
				if err := s.Close(); !errors.Is(err, boltstore.ErrStalled) {
					t.Errorf("Close: got %v, want ErrStalled", err)
				}
				if took := time.Since(begun); took != c.want {
					t.Errorf("something waited for the hanging write until %s", took)
				}

				close(s.release)
				synctest.Wait()
				if err := s.Close(); err != nil {
					t.Errorf("Close after the write ended: %v", err)
				}
			})
			// The outcome was unknown; in this case it landed.
			wantEntries(t, open(t, boltstore.Config{Path: path}), entry(1), entry(2))
		})
	}
}

// TestStalledSetOwnsItsValue: the caller is free to use its slices again.
func TestStalledSetOwnsItsValue(t *testing.T) {
	path := filePath(t)
	synctest.Test(t, func(t *testing.T) {
		s := openStallable(t, path, 0)
		key, val := []byte("k"), []byte("as given")
		if err := s.Set(key, val); !errors.Is(err, boltstore.ErrStalled) {
			t.Errorf("got %v", err)
		}
		key[0], val[0] = 'x', 'x'
		close(s.release)
		synctest.Wait()
		closeStore(t, s.Store)
	})
	got, err := open(t, boltstore.Config{Path: path}).Get([]byte("k"))
	if err != nil || string(got) != "as given" {
		t.Fatalf("got %q, %v", got, err)
	}
}

func TestSlowWriteIsNoStall(t *testing.T) {
	path := filePath(t)
	synctest.Test(t, func(t *testing.T) {
		s := openStallable(t, path, 0)
		time.AfterFunc(10*time.Second-1, func() { close(s.release) })
		storeLogs(t, s.Store, entry(2))
		if s.Err() != nil {
			t.Error(s.Err())
		}
		closeStore(t, s.Store)
	})
}

func TestWritersBehindAStalledOneGiveUp(t *testing.T) {
	path := filePath(t)
	synctest.Test(t, func(t *testing.T) {
		s := openStallable(t, path, 0)
		begun := time.Now()
		results := make(chan error)
		const writers = 4
		for range writers {
			go func() { results <- s.SetUint64([]byte("k"), 1) }()
		}
		for range writers {
			if err := <-results; !errors.Is(err, boltstore.ErrStalled) {
				t.Errorf("got %v", err)
			}
		}
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("the last gave up after %s", took)
		}
		close(s.release)
		synctest.Wait()
		closeStore(t, s.Store)
	})
}

func TestCloseWaitsForTheWriteUnderWay(t *testing.T) {
	path := filePath(t)
	synctest.Test(t, func(t *testing.T) {
		s := openStallable(t, path, 0)
		written := make(chan error, 1)
		go func() { written <- s.StoreLog(entry(2)) }()
		time.AfterFunc(5*time.Second, func() { close(s.release) })
		synctest.Wait()
		closeStore(t, s.Store)
		if err := <-written; err != nil {
			t.Errorf("the write under way: %v", err)
		}
	})
	wantEntries(t, open(t, boltstore.Config{Path: path}), entry(1), entry(2))
}
