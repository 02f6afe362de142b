package redis_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// fake answers as a Redis server that knows only INFO and CLUSTER, and no HELLO, as old ones do not.
type fake struct{ info, nodes string }

func (f fake) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		words, err := readCommand(in)
		if err != nil {
			return
		}
		answer := "-ERR unknown command\r\n"
		switch strings.ToLower(words[0]) {
		case "info":
			answer = bulk(f.info)
		case "cluster":
			answer = bulk(f.nodes)
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

func readCommand(in *bufio.Reader) ([]string, error) {
	n, err := readCount(in, "*")
	if err != nil || n < 1 {
		return nil, fmt.Errorf("no command: %d, %w", n, err)
	}
	words := make([]string, n)
	for i := range words {
		size, err := readCount(in, "$")
		if err != nil {
			return nil, err
		}
		word := make([]byte, size+2)
		if _, err := io.ReadFull(in, word); err != nil {
			return nil, err
		}
		words[i] = string(word[:size])
	}
	return words, nil
}

func readCount(in *bufio.Reader, kind string) (int, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, err
	}
	digits, ok := strings.CutPrefix(strings.TrimSpace(line), kind)
	if !ok {
		return 0, fmt.Errorf("%q is no %s", line, kind)
	}
	return strconv.Atoi(digits)
}
