package fleet

import (
	"fmt"
	"syscall"
)

// spare is how many open files a process keeps for other things than nodes.
const spare = 128

// plan is how a fleet is split over listeners and processes.
type plan struct {
	each      bool // a listener per node
	processes int
	clusters  int // of each process but the last, which may have fewer
}

// planned splits the fleet; each says whether nodes have a listener of their own.
func (c *Config) planned(each bool) (plan, error) {
	processes := c.Processes
	if processes == 0 {
		limit, err := openFiles()
		if err != nil {
			return plan{}, err
		}
		wanted := c.Peers
		if each {
			wanted++
		}
		room := max(limit-spare, 1)
		processes = (c.Clusters*c.Nodes*wanted + room - 1) / room
	}
	p := plan{each: each}
	p.clusters = (c.Clusters + processes - 1) / processes
	p.processes = (c.Clusters + p.clusters - 1) / p.clusters
	if each && p.processes > 1 && c.Port == AnyPort {
		return plan{}, fmt.Errorf("fleet: in %d processes without the shared listener, nodes need a port that is given", p.processes)
	}
	return p, nil
}

// openFiles is the limit of this process, which the runtime has raised as far as it may be raised.
func openFiles() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("read the limit of open files: %w", err)
	}
	return int(min(limit.Cur, 1<<30)), nil
}
