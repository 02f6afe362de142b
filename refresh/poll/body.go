package poll

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

// step is how much of a body is made room for before any of it has come: a length is only a claim.
const step = 64 << 10

// readBody reads the body that a's header announces, at most limit bytes of it.
func readBody(in *bufio.Reader, a *answer, limit int64, left *int) ([]byte, error) {
	switch {
	case a.chunked:
		return readChunks(in, limit, left)
	case a.length > limit:
		return nil, tooLarge(limit)
	case a.length >= 0:
		return readFull(in, nil, a.length)
	}
	a.keep = false
	body, err := io.ReadAll(io.LimitReader(in, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read body: %w", err)
	case int64(len(body)) > limit:
		return nil, tooLarge(limit)
	}
	return body, nil
}

// readFull appends exactly n bytes to body.
func readFull(in *bufio.Reader, body []byte, n int64) ([]byte, error) {
	for n > 0 {
		from, now := len(body), min(n, step)
		body = append(body, make([]byte, now)...)
		if _, err := io.ReadFull(in, body[from:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("read body: %w", err)
		}
		n -= now
	}
	return body, nil
}

// readChunks reads a chunked body. What frames the chunks may take as many bytes as the body may, the trailer what the
// header left over.
func readChunks(in *bufio.Reader, limit int64, left *int) ([]byte, error) {
	var body []byte
	frames := int(limit) + maxLine
	for {
		line, err := readLine(in, &frames)
		if err != nil {
			return nil, fmt.Errorf("read chunk: %w", err)
		}
		size, err := chunkSize(line)
		switch {
		case err != nil:
			return nil, err
		case size == 0:
			return body, skipTrailer(in, left)
		case size > limit-int64(len(body)):
			return nil, tooLarge(limit)
		}
		if body, err = readFull(in, body, size); err != nil {
			return nil, err
		}
		end, err := readLine(in, &frames)
		switch {
		case err != nil:
			return nil, fmt.Errorf("read chunk: %w", err)
		case len(end) > 0:
			return nil, refresh.NewFault(fsm.ReasonProtocol, "a chunk is longer than it says")
		}
	}
}

func chunkSize(line []byte) (int64, error) {
	digits, _, _ := bytes.Cut(line, []byte(";"))
	digits = bytes.TrimRight(digits, " \t")
	size, err := strconv.ParseUint(string(digits), 16, 63)
	if err != nil {
		return 0, refresh.NewFault(fsm.ReasonProtocol, "%q is not the size of a chunk", digits[:min(len(digits), 40)])
	}
	return int64(size), nil
}

func skipTrailer(in *bufio.Reader, left *int) error {
	for {
		line, err := readLine(in, left)
		if err != nil {
			return fmt.Errorf("read trailer: %w", err)
		}
		if len(line) == 0 {
			return nil
		}
	}
}

func tooLarge(limit int64) error {
	return refresh.NewFault(fsm.ReasonTooLarge, "the body is longer than %d bytes", limit)
}
