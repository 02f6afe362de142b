package postgres_test

import (
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"
)

// fake answers as a PostgreSQL server that lets everybody in. Each question gets the next row, the last one for ever; a null
// is "-".
type fake struct{ rows [][]string }

func (f fake) serve(conn net.Conn) {
	backend := pgproto3.NewBackend(conn, conn)
	if _, err := backend.ReceiveStartupMessage(); err != nil {
		return
	}
	backend.Send(&pgproto3.AuthenticationOk{})
	backend.Send(&pgproto3.ParameterStatus{Name: "server_version", Value: "15.18"})
	backend.Send(&pgproto3.BackendKeyData{ProcessID: 7, SecretKey: []byte{0, 0, 0, 9}})
	backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if backend.Flush() != nil {
		return
	}
	rows := f.rows
	for {
		message, err := backend.Receive()
		query, ok := message.(*pgproto3.Query)
		if err != nil || !ok {
			return
		}
		if strings.HasPrefix(query.String, "SELECT pg_sleep") {
			send(backend, []string{""})
		}
		send(backend, rows[0])
		if len(rows) > 1 {
			rows = rows[1:]
		}
		backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		if backend.Flush() != nil {
			return
		}
	}
}

func send(backend *pgproto3.Backend, row []string) {
	fields, values := make([]pgproto3.FieldDescription, len(row)), make([][]byte, len(row))
	for i, text := range row {
		if fields[i].Name = []byte("column"); text != "-" {
			values[i] = []byte(text)
		}
	}
	backend.Send(&pgproto3.RowDescription{Fields: fields})
	backend.Send(&pgproto3.DataRow{Values: values})
	backend.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
}
