package host

import "syscall"

// MostFiles is how many files this process may open.
func MostFiles() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 4096
	}
	return int(min(limit.Cur, 1<<17))
}
