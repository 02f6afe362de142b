package mysql

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

const (
	maxAnswers = 512 << 10 // bytes read in one poll
	maxPacket  = 64 << 10  // bytes of one packet
	maxColumns = 256
	maxRows    = 256
	headLength = 4 // bytes: a packet's length and its number
)

// The first byte of a packet that answers.
const (
	answerOK    = 0x00
	answerMore  = 0x01 // more of a login
	answerFile  = 0xfb // the server wants a file
	answerEnd   = 0xfe // the end of a list, or another way to log in
	answerError = 0xff
)

// packets are the two directions of a connection. Packets are numbered through each exchange.
type packets struct {
	net.Conn
	in   *bufio.Reader
	next byte
}

func newPackets(conn net.Conn) *packets {
	return &packets{Conn: conn, in: bufio.NewReaderSize(conn, 2<<10)}
}

// read reads a packet, which is never empty. An error that the server answers with is returned as a refusal; such a packet
// may have any number, since a server sends one unasked before it closes the connection.
func (p *packets) read() ([]byte, error) {
	var head [headLength]byte
	if _, err := io.ReadFull(p.in, head[:]); err != nil {
		return nil, err
	}
	length := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	switch {
	case length > maxPacket:
		return nil, refresh.NewFault(fsm.ReasonTooLarge, "a packet is longer than %d bytes", maxPacket)
	case length == 0:
		return nil, refresh.NewFault(fsm.ReasonProtocol, "a packet is empty")
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(p.in, body); err != nil {
		return nil, err
	}
	if body[0] == answerError {
		return nil, parseRefusal(body)
	}
	if head[3] != p.next {
		return nil, refresh.NewFault(fsm.ReasonProtocol, "a packet is out of order")
	}
	p.next++
	return body, nil
}

func (p *packets) write(body []byte) error {
	packet := make([]byte, headLength, headLength+len(body))
	binary.LittleEndian.PutUint32(packet, uint32(len(body)))
	packet[3] = p.next
	p.next++
	_, err := p.Conn.Write(append(packet, body...))
	return err
}

// fields reads what a packet holds, one after the other. Once something is missing it gives only zeros, and short says so.
type fields struct {
	rest  []byte
	short bool
}

func (f *fields) bytes(n int) []byte {
	if n < 0 || n > len(f.rest) {
		f.rest, f.short = nil, true
		return nil
	}
	taken := f.rest[:n]
	f.rest = f.rest[n:]
	return taken
}

// number is one of so many bytes, at most eight.
func (f *fields) number(size int) uint64 {
	var all [8]byte
	copy(all[:], f.bytes(size))
	return binary.LittleEndian.Uint64(all[:])
}

// terminated is a text that ends with a zero byte, or with the packet.
func (f *fields) terminated() string {
	for i, b := range f.rest {
		if b == 0 {
			text := string(f.bytes(i))
			f.bytes(1)
			return text
		}
	}
	return string(f.bytes(len(f.rest)))
}

// count is a number whose first byte says how long it is; null stands for none.
func (f *fields) count() (n uint64, null bool) {
	switch first := f.number(1); first {
	case 0xfb:
		return 0, true
	case 0xfc:
		return f.number(2), false
	case 0xfd:
		return f.number(3), false
	case 0xfe:
		return f.number(8), false
	case 0xff:
		f.rest, f.short = nil, true
		return 0, false
	default:
		return first, false
	}
}

// text is preceded by its length.
func (f *fields) text() (s string, null bool) {
	n, null := f.count()
	if n > maxPacket {
		f.rest, f.short = nil, true
		return "", false
	}
	return string(f.bytes(int(n))), null
}

func appendText(to []byte, text string) []byte {
	switch n := len(text); {
	case n < 0xfb:
		to = append(to, byte(n))
	default:
		to = append(to, 0xfc, byte(n), byte(n>>8))
	}
	return append(to, text...)
}
