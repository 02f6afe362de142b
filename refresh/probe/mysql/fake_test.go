package mysql_test

import (
	"io"
	"net"
	"slices"
	"strings"
)

// fake answers as a server that lets everybody in: to a question that begins with a key with the rows below it, of which the
// first holds the names of the columns, and to others that it does not understand. A NULL is "-".
type fake map[string][][]string

const (
	nonce     = "12345678\x00\xff\xff\x2d\x02\x00\xff\xff\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00abcdefghijkl\x00"
	plainText = "12345678\x00\xff\xf7\x2d\x02\x00\xff\xff\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00abcdefghijkl\x00" // no TLS
)

// greeting is what a server says first.
func greeting(can, plugin string) string {
	return packet(0, "\x0a8.4.2\x00\x07\x00\x00\x00"+can+plugin+"\x00")
}

var (
	hello   = greeting(nonce, "caching_sha2_password")
	welcome = "\x00\x00\x00\x02\x00\x00\x00"
)

func packet(number byte, body string) string {
	n := len(body)
	return string([]byte{byte(n), byte(n >> 8), byte(n >> 16), number}) + body
}

func (f fake) serve(conn net.Conn) {
	if say(conn, hello) != nil || hear(conn) == "" || say(conn, packet(2, welcome)) != nil {
		return
	}
	for {
		command := hear(conn)
		if command == "" || command[0] != 3 || say(conn, f.answer(command[1:])) != nil {
			return
		}
	}
}

func (f fake) answer(question string) string {
	for start, rows := range f {
		if strings.HasPrefix(question, start) {
			return list(rows)
		}
	}
	return packet(1, "\xff\x28\x04#42000You have an error in your SQL syntax")
}

// list is an answer of rows.
func list(rows [][]string) string {
	number := byte(1)
	next := func(body string) string {
		number++
		return packet(number-1, body)
	}
	end := "\xfe\x00\x00\x02\x00"
	all := next(string(rune(len(rows[0]))))
	for _, name := range rows[0] {
		all += next(text("def") + text("") + text("t") + text("t") + text(name) + text(name) +
			"\x0c\x2d\x00\x00\x04\x00\x00\xfd\x00\x00\x00\x00\x00")
	}
	all += next(end)
	for _, row := range rows[1:] {
		body := ""
		for _, value := range row {
			if value == "-" {
				body += "\xfb"
			} else {
				body += text(value)
			}
		}
		all += next(body)
	}
	return all + next(end)
}

func text(s string) string {
	if n := len(s); n > 250 {
		return string([]byte{0xfc, byte(n), byte(n >> 8)}) + s
	}
	return string([]byte{byte(len(s))}) + s
}

func say(conn net.Conn, packets string) error {
	_, err := io.WriteString(conn, packets)
	return err
}

// hear is the body of one packet, empty when the other side has gone.
func hear(conn net.Conn) string {
	head := make([]byte, 4)
	if _, err := io.ReadFull(conn, head); err != nil {
		return ""
	}
	body := make([]byte, int(head[0])|int(head[1])<<8)
	if _, err := io.ReadFull(conn, body); err != nil {
		return ""
	}
	return string(body)
}

// table is rows of one: names and values in turn.
func table(pairs ...string) [][]string {
	var names, values []string
	for pair := range slices.Chunk(pairs, 2) {
		names, values = append(names, pair[0]), append(values, pair[1])
	}
	return [][]string{names, values}
}

// list of names and values, as SHOW VARIABLES and SHOW STATUS give them.
func named(pairs ...string) [][]string {
	rows := [][]string{{"Variable_name", "Value"}}
	return slices.AppendSeq(rows, slices.Chunk(pairs, 2))
}
