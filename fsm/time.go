package fsm

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Time is an instant of logical time in Unix milliseconds, UTC; zero is never. It comes in with commands and is never
// read from a clock here. JSON form: RFC 3339 with milliseconds.
type Time int64

// TimeOf converts a wall-clock time; used by proposers only.
func TimeOf(t time.Time) Time { return Time(t.UnixMilli()) }

// Std is t as a time.Time in UTC.
func (t Time) Std() time.Time { return time.UnixMilli(int64(t)).UTC() }

// Add is t moved by d.
func (t Time) Add(d Duration) Time { return t + Time(d) }

// Sub is the time from o to t.
func (t Time) Sub(o Time) Duration { return Duration(t - o) }

// IsZero says whether t is never.
func (t Time) IsZero() bool { return t == 0 }

func (t Time) String() string {
	if t == 0 {
		return ""
	}
	return t.Std().Format("2006-01-02T15:04:05.000Z07:00")
}

// MarshalText writes RFC 3339 with milliseconds, or nothing for never.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads RFC 3339; an empty text is never.
func (t *Time) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*t = 0
		return nil
	}
	at, err := time.Parse(time.RFC3339, string(b))
	if err != nil {
		return fmt.Errorf("time %q is not RFC 3339, like 2026-11-22T10:00:00Z", b)
	}
	*t = TimeOf(at)
	return nil
}

// Duration is a span in milliseconds. Text form: Go's, such as "30s" or "1h30m".
type Duration int64

// Spans in milliseconds.
const (
	Millisecond Duration = 1
	Second               = 1000 * Millisecond
	Minute               = 60 * Second
	Hour                 = 60 * Minute
	Day                  = 24 * Hour
)

// DurationOf converts, dropping what is below a millisecond.
func DurationOf(d time.Duration) Duration { return Duration(d.Milliseconds()) }

// Std is d as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) * time.Millisecond }

// String is the shortest form: "30s", "1h30m", "500ms".
func (d Duration) String() string {
	s := d.Std().String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes the String form.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads Go's duration syntax; it is the one place that says what a good duration looks like.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration like 30s, 5m or 1h30m", b)
	}
	if v%time.Millisecond != 0 {
		return fmt.Errorf("%q is finer than a millisecond", b)
	}
	*d = DurationOf(v)
	return nil
}

// Percent is a whole number from 0 to 100, written "30%".
type Percent int

// MarshalText writes "30%".
func (p Percent) MarshalText() ([]byte, error) { return []byte(strconv.Itoa(int(p)) + "%"), nil }

// UnmarshalText reads "30%".
func (p *Percent) UnmarshalText(b []byte) error {
	digits, ok := strings.CutSuffix(string(b), "%")
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < 0 || n > 100 {
		return fmt.Errorf("%q is not a percentage from 0%% to 100%%", b)
	}
	*p = Percent(n)
	return nil
}
