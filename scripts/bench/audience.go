package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// audience is followers in a process of their own, over bare connections, spread over peers.
type audience struct {
	Peers []string // host:port
	Quick int      // read what comes, from now on
	Slow  int      // begin with the oldest event; every other one reads nothing, the rest 1 KiB a second
	Until int      // when not 0, Quick begin with the oldest event and end after so many
}

// heard is what an audience tells at its end; of the quick ones, and once it was told to measure.
type heard struct {
	Quick, Lines        int
	P50, P99, Max       float64 // milliseconds from an event's time to its receipt
	Worst               float64 // greatest p99 of a follower
	Gaps, Ended, Behind int     // events missed or out of order; followers that ended; those that did not get the last event
	Seconds, CPU        float64 // of catching up; CPU of this process
}

// listener is one follower.
type listener struct {
	conn  net.Conn
	lines *bufio.Reader
	last  uint64
	lags  []float64
	gaps  int
	ended atomic.Bool
}

// listen connects and reads the head of the answer. HTTP/1.0 is asked for, so that the body comes as it is.
func listen(ctx context.Context, addr, query string) (*listener, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(c, "GET /v1/events/follow%s HTTP/1.0\r\nHost: %s\r\n\r\n", query, addr); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	l := &listener{conn: c, lines: bufio.NewReaderSize(c, 16<<10)}
	for first := true; ; first = false {
		line, err := l.lines.ReadString('\n')
		switch {
		case err != nil:
			return nil, errors.Join(err, c.Close())
		case first && !strings.Contains(line, " 200 "):
			return nil, errors.Join(fmt.Errorf("follow: %s", line), c.Close())
		case line == "\r\n":
			return l, nil
		}
	}
}

// seqAndTime reads an event's line; ok is false of other lines.
func seqAndTime(line []byte) (seq uint64, at time.Time, ok bool) {
	_, rest, ok := bytes.Cut(line, []byte(`"seq":`))
	if !ok {
		return 0, at, false
	}
	digits, rest, ok := bytes.Cut(rest, []byte(`,"time":"`))
	if !ok {
		return 0, at, false
	}
	seq, err := strconv.ParseUint(string(digits), 10, 64)
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	at, err2 := time.Parse(time.RFC3339, string(text))
	return seq, at, err == nil && err2 == nil
}

// crawl reads a little now and then.
func (l *listener) crawl() {
	p := make([]byte, 1<<10)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for range tick.C {
		if _, err := l.conn.Read(p); err != nil {
			return
		}
	}
}

// attend reads lines until the connection ends or there were so many events; of 0 there is no end.
func (l *listener) attend(measuring *atomic.Bool, until int) {
	for n := 0; until == 0 || n < until; {
		line, err := l.lines.ReadSlice('\n')
		if err != nil {
			l.ended.Store(true)
			return
		}
		seq, at, ok := seqAndTime(line)
		if !ok {
			continue
		}
		n++
		if l.last > 0 && seq != l.last+1 {
			l.gaps++
		}
		if l.last = seq; measuring.Load() {
			l.lags = append(l.lags, time.Since(at).Seconds()*1000)
		}
	}
}

// tally adds up what followers heard.
func (h *heard) tally(all []*listener) {
	var lags []float64
	newest := uint64(0)
	for _, l := range all {
		lags = append(lags, l.lags...)
		h.Worst = max(h.Worst, quantilesOf(l.lags).P99)
		h.Gaps += l.gaps
		newest = max(newest, l.last)
	}
	for _, l := range all {
		if l.last < newest {
			h.Behind++
		}
	}
	q := quantilesOf(lags)
	h.Lines, h.P50, h.P99, h.Max = len(lags), q.P50, q.P99, q.Max
}
