package space

import (
	"fmt"
	"syscall"
)

// stat asks the file system of a directory.
func stat(dir string) (Room, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return Room{}, fmt.Errorf("ask for the room of %s: %w", dir, err)
	}
	size := uint64(s.Bsize)
	return Room{Free: s.Bavail * size, Total: s.Blocks * size}, nil
}
