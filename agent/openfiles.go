package agent

import "syscall"

// openFiles is how many files this peer may open.
func openFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 4096
	}
	return int(min(limit.Cur, 1<<17))
}

// shared divides open files: one in sixteen is for requests that wait, some are for other peers and the disk, and all others for
// connections to nodes, kept ones and those of polls under way. As many polls as a quarter may be under way at once.
func shared(files int) (polls, open, waiting int) {
	const others = 256
	waiting = min(files/16, 4096)
	return min(files/4, 16_384), max(files/2, files-waiting-others), waiting
}
