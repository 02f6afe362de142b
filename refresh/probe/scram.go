package probe

import (
	"strconv"
	"strings"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// maxIterations is far above what stores ask for by default (4,096 to 15,000), and costs some 100 ms of one processor.
const maxIterations = 200_000

// CheckScram refuses the first message of a server in a SCRAM login when it asks for more rounds of hashing than a login is
// worth. Libraries know a least number alone, so that one short text could keep a processor busy for hours.
func CheckScram(serverFirst string) error {
	for field := range strings.SplitSeq(serverFirst, ",") {
		digits, ok := strings.CutPrefix(field, "i=")
		if !ok {
			continue
		}
		if n, err := strconv.Atoi(digits); err != nil || n > maxIterations {
			return refresh.NewFault(fsm.ReasonAuth, "the server asks for more than %d iterations of SCRAM", maxIterations)
		}
	}
	return nil
}
