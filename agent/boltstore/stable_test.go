package boltstore_test

import (
	"math"
	"testing"

	"github.com/musterhq/muster/agent/boltstore"
)

func TestMissingKeyIsRaftsNotFound(t *testing.T) {
	store := open(t, boltstore.Config{Path: filePath(t)})
	if _, err := store.Get([]byte("LastVoteCand")); err != boltstore.ErrKeyNotFound || err.Error() != "not found" {
		t.Fatalf("got %v, want the bare error %q", err, "not found")
	}
	if n, err := store.GetUint64([]byte("CurrentTerm")); err != boltstore.ErrKeyNotFound || n != 0 {
		t.Fatalf("got %d, %v", n, err)
	}
}

func TestKeysKeepTheirLastValue(t *testing.T) {
	path := filePath(t)
	store := open(t, boltstore.Config{Path: path})
	val := []byte("peer-a")
	padding := make([]byte, 5000) // so that bbolt hands out its mapped file
	for _, set := range []error{
		store.Set([]byte("LastVoteCand"), []byte("peer-z")),
		store.Set([]byte("LastVoteCand"), val),
		store.Set([]byte("empty"), nil),
		store.Set([]byte("padding"), padding),
		store.SetUint64([]byte("CurrentTerm"), 7),
		store.SetUint64([]byte("CurrentTerm"), math.MaxUint64),
	} {
		if set != nil {
			t.Fatal(set)
		}
	}
	val[0] = 'x'

	check := func(store *boltstore.Store) {
		t.Helper()
		got, err := store.Get([]byte("LastVoteCand"))
		if err != nil || string(got) != "peer-a" {
			t.Fatalf("got %q, %v", got, err)
		}
		got[0] = 'x'
		if got, err := store.Get([]byte("LastVoteCand")); err != nil || string(got) != "peer-a" {
			t.Fatalf("a value handed out is not a copy: %q, %v", got, err)
		}
		if got, err := store.Get([]byte("empty")); err != nil || len(got) != 0 {
			t.Fatalf("got %q, %v", got, err)
		}
		if n, err := store.GetUint64([]byte("CurrentTerm")); err != nil || n != math.MaxUint64 {
			t.Fatalf("got %d, %v", n, err)
		}
		if n, err := store.GetUint64([]byte("LastVoteCand")); err == nil {
			t.Fatalf("six bytes were read as the number %d", n)
		}
	}
	check(store)
	closeStore(t, store)
	check(open(t, boltstore.Config{Path: path}))
}

func TestEmptyKeyIsRefused(t *testing.T) {
	store := open(t, boltstore.Config{Path: filePath(t)})
	if err := store.Set(nil, []byte("x")); err == nil {
		t.Fatal("stored")
	}
}
