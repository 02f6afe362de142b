package main

import (
	"errors"
	"os"
	"path/filepath"
	"time"
)

// fsyncs appends 4 KiB to a file in a folder n times, each synced, and says how long each took, in milliseconds: what an
// entry of the log costs at least.
func fsyncs(folder string, n int) (took []float64, err error) {
	f, err := os.Create(filepath.Join(folder, "fsyncs"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	page := make([]byte, 4<<10)
	for range n {
		began := time.Now()
		if _, err := f.Write(page); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		took = append(took, 1e3*time.Since(began).Seconds())
	}
	return took, nil
}

// writes says how long a file of a size takes to be written and synced, in seconds.
func writes(folder string, size int64) (seconds float64, err error) {
	f, err := os.Create(filepath.Join(folder, "writes"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	block := make([]byte, 64<<10)
	began := time.Now()
	for at := int64(0); at < size; at += int64(len(block)) {
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
	}
	err = f.Sync()
	return time.Since(began).Seconds(), err
}
