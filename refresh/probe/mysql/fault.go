package mysql

import (
	"errors"
	"fmt"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
	"github.com/musterhq/muster/refresh/probe"
)

// refusal is an error that the server answers with.
type refusal struct {
	number uint16
	text   string
}

func (r *refusal) Error() string { return fmt.Sprintf("%s (%d)", r.text, r.number) }

func parseRefusal(body []byte) error {
	f := fields{rest: body[1:]}
	number := uint16(f.number(2))
	if len(f.rest) > 5 && f.rest[0] == '#' {
		f.bytes(6)
	}
	if f.short {
		return malformed("refusal")
	}
	return &refusal{number, string(f.rest)}
}

// The numbers of refusals that mean something here.
const (
	tooManyConnections = 1040
	shutdownInProgress = 1053
	syntaxError        = 1064
)

// faultOf gives the refusals of a server their reasons.
func faultOf(err error) error {
	var said *refusal
	if !errors.As(err, &said) {
		return err
	}
	switch said.number {
	case 1044, 1045, 1129, 1130, 1251, 1524, 1698, 1820, 1862, 3118, 4151:
		return refresh.NewFault(fsm.ReasonAuth, "%w", said)
	case 1227:
		return refresh.NewFault(fsm.ReasonAuth, "%w: GRANT REPLICATION CLIENT ON *.* (MariaDB from 10.5 on: REPLICA MONITOR)", said)
	case 1142:
		return refresh.NewFault(fsm.ReasonAuth, "%w: GRANT SELECT ON performance_schema.replication_group_members", said)
	case shutdownInProgress, 1077, 1079, 1158, 1159, 1160, 1161, 1927, 4031:
		return fmt.Errorf("%w: %w", probe.ErrStale, refresh.NewFault(fsm.ReasonStore, "%w", said))
	case tooManyConnections, 1041, 1135, 1203, 1226, 3032, 3168:
		return refresh.NewFault(fsm.ReasonStore, "%w", said)
	}
	return refresh.NewFault(fsm.ReasonProtocol, "%w", said)
}
