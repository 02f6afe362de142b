package mongodb

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

const (
	headBytes  = 16         // length, request id, the id it answers, operation
	maxMessage = 48_000_000 // bytes; MongoDB's own limit
	opMsg      = 2013
)

// wire is one connection that carries one command at a time.
type wire struct {
	conn net.Conn
	sent uint32
}

// serverError is what a server answers instead of doing what it was told.
type serverError struct {
	code    int64
	name    string
	message string
}

func (e *serverError) Error() string { return fmt.Sprintf("%s (%d): %s", e.name, e.code, e.message) }

// run sends a command to a database and returns the answer.
func (w *wire) run(database string, command bson.D) (bson.Raw, error) {
	document, err := bson.Marshal(append(command, bson.E{Key: "$db", Value: database}))
	if err != nil {
		return nil, refresh.NewFault(fsm.ReasonProtocol, "a command cannot be written")
	}
	w.sent++
	message := make([]byte, 0, headBytes+5+len(document))
	for _, n := range []uint32{uint32(cap(message)), w.sent, 0, opMsg, 0} {
		message = binary.LittleEndian.AppendUint32(message, n)
	}
	message = append(append(message, 0), document...) // one section of the kind 0
	if _, err := w.conn.Write(message); err != nil {
		return nil, err
	}
	body, err := w.read()
	if err != nil {
		return nil, err
	}
	return answer(body)
}

// read reads one message and returns what follows its head. Room grows with what comes, not with what is announced.
func (w *wire) read() ([]byte, error) {
	head := make([]byte, headBytes)
	if _, err := io.ReadFull(w.conn, head[:4]); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint32(head)
	if length < headBytes || length > maxMessage {
		return nil, notMongoDB()
	}
	if _, err := io.ReadFull(w.conn, head[4:]); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(head[8:]) != w.sent || binary.LittleEndian.Uint32(head[12:]) != opMsg {
		return nil, notMongoDB()
	}
	var body bytes.Buffer
	if _, err := io.CopyN(&body, w.conn, int64(length)-headBytes); err != nil {
		return nil, err
	}
	return body.Bytes(), nil
}

// answer is the document in the body of a message: four bytes of flags, of which only a checksum at the end may be set, the
// section's kind, and the document.
func answer(body []byte) (bson.Raw, error) {
	const before, least = 5, 5
	if len(body) < before+least || binary.LittleEndian.Uint32(body)&^1 != 0 || body[4] != 0 {
		return nil, notMongoDB()
	}
	document := body[before:]
	length := int64(binary.LittleEndian.Uint32(document))
	if length < least || length > int64(len(document)) {
		return nil, notMongoDB()
	}
	d := bson.Raw(document[:length])
	if d.Validate() != nil {
		return nil, notMongoDB()
	}
	ok, is := d.Lookup("ok").AsInt64OK()
	switch {
	case !is:
		return nil, notMongoDB()
	case ok == 1:
		return d, nil
	}
	code, _ := d.Lookup("code").AsInt64OK()
	return nil, &serverError{code: code, name: text(d, "codeName"), message: text(d, "errmsg")}
}

func notMongoDB() error {
	return refresh.NewFault(fsm.ReasonProtocol, "is no MongoDB server, or wants TLS: the answer is not MongoDB's")
}

// text is a field that holds one.
func text(d bson.Raw, name string) string {
	s, _ := d.Lookup(name).StringValueOK()
	return s
}

// part is a document within one. A path of several names is never looked up at once: on some that are broken bson panics.
func part(d bson.Raw, name string) bson.Raw {
	inner, _ := d.Lookup(name).DocumentOK()
	return inner
}

// is says whether a field is true.
func is(d bson.Raw, name string) bool {
	b, ok := d.Lookup(name).BooleanOK()
	return ok && b
}
