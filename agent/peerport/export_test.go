package peerport

import "io"

// Hello and Answer are the first frames of a connection, for their fuzz target.
type (
	Hello  = hello
	Answer = answer
)

// ReadHello reads a whole hello, its magic byte included.
func ReadHello(r io.Reader) (Hello, error) {
	var first [1]byte
	if _, err := io.ReadFull(r, first[:]); err != nil {
		return Hello{}, err
	}
	return readHello(r)
}

var (
	WriteHello  = writeHello
	ReadAnswer  = readAnswer
	WriteAnswer = writeAnswer
)

// NewHello makes a hello.
func NewHello(group, from, to, instance string) Hello { return hello{group, from, to, instance} }

// NewAnswer makes an answer.
func NewAnswer(reason Reason, group, id string) Answer { return answer{reason, group, id} }
