package mysql

import (
	"math"
	"strconv"
	"strings"

	"github.com/musterhq/muster/fsm"
)

// offset is the number of transactions that the server's GTIDs count, nil where it has none.
func (f facts) offset() *fsm.Offset {
	var n int64
	var ok bool
	switch {
	case f.mariadb():
		n, ok = sequences(f.variables["gtid_current_pos"])
	case strings.HasPrefix(f.variables["gtid_mode"], "ON"):
		n, ok = executed(f.executed)
	}
	if !ok {
		return nil
	}
	return &fsm.Offset{Value: n, Unit: "transactions"}
}

// sequences adds up the sequence numbers of MariaDB's domains: "0-7-42,1-9-3" is 45.
func sequences(position string) (int64, bool) {
	var sum int64
	if position == "" {
		return 0, false
	}
	for gtid := range strings.SplitSeq(position, ",") {
		parts := strings.Split(strings.TrimSpace(gtid), "-")
		n, err := strconv.ParseInt(parts[len(parts)-1], 10, 64)
		if err != nil || len(parts) != 3 || n < 0 {
			return 0, false
		}
		sum = add(sum, n)
	}
	return sum, true
}

// executed counts a set of MySQL's: "uuid:1-5:7, uuid:tag:1-3" is 9. What does not begin with a digit is a tag.
func executed(set string) (int64, bool) {
	var sum int64
	for source := range strings.SplitSeq(set, ",") {
		_, intervals, _ := strings.Cut(strings.TrimSpace(source), ":")
		for interval := range strings.SplitSeq(intervals, ":") {
			if interval == "" || interval[0] < '0' || interval[0] > '9' {
				continue
			}
			first, last, isRange := strings.Cut(interval, "-")
			if !isRange {
				last = first
			}
			from, err := strconv.ParseInt(first, 10, 64)
			to, also := strconv.ParseInt(last, 10, 64)
			if err != nil || also != nil || from < 1 || to < from {
				return 0, false
			}
			sum = add(sum, to-from+1)
		}
	}
	return sum, true
}

// add stops at the largest number.
func add(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
