package fsm_test

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/musterhq/muster/fsm"
)

// TestTimeText checks the written form of times, whatever zone they came in.
func TestTimeText(t *testing.T) {
	east := time.FixedZone("east", 5*3600+1800)
	at := fsm.TimeOf(time.Date(2026, 11, 22, 15, 30, 0, 123_999_999, east))
	raw, err := json.Marshal(map[string]fsm.Time{"at": at, "never": 0})
	if want := `{"at":"2026-11-22T10:00:00.123Z","never":""}`; err != nil || string(raw) != want {
		t.Errorf("times are written %s, %v; want %s", raw, err, want)
	}
	for in, want := range map[string]fsm.Time{
		`""`: 0, `"2026-11-22T10:00:00.123Z"`: at, `"2026-11-22T15:30:00.1239+05:30"`: at, `"1970-01-01T00:00:01Z"`: 1000,
	} {
		var got fsm.Time
		if err := json.Unmarshal([]byte(in), &got); err != nil || got != want {
			t.Errorf("%s reads %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{`"yesterday"`, `"2026-11-22"`, `"2026-11-22 10:00:00Z"`} {
		if err := json.Unmarshal([]byte(in), new(fsm.Time)); err == nil {
			t.Errorf("%s is a time", in)
		}
	}
	if !fsm.Time(0).IsZero() || at.IsZero() || at.Std().Location() != time.UTC {
		t.Error("never is a time, or a time is not in UTC")
	}
	if at.Add(fsm.Minute).Sub(at) != fsm.Minute {
		t.Error("a minute later is not a minute later")
	}
}

// TestTimesTravel checks that times and durations come back as they were written.
func TestTimesTravel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := fsm.Time(rapid.Int64Range(0, 250_000_000_000_000).Draw(t, "time"))
		span := fsm.Duration(rapid.Int64Range(0, int64(10_000*fsm.Day)).Draw(t, "span"))
		text, _ := at.MarshalText()
		var back fsm.Time
		if err := back.UnmarshalText(text); err != nil || back != at {
			t.Fatalf("%d is written %s and reads %d, %v", at, text, back, err)
		}
		text, _ = span.MarshalText()
		var again fsm.Duration
		if err := again.UnmarshalText(text); err != nil || again != span || fsm.DurationOf(span.Std()) != span {
			t.Fatalf("%d is written %s and reads %d, %v", span, text, again, err)
		}
	})
}

// TestDurationText checks the shortest form of durations and what is none.
func TestDurationText(t *testing.T) {
	for d, want := range map[fsm.Duration]string{
		0: "0s", 500: "500ms", 30 * fsm.Second: "30s", fsm.Minute: "1m", 90 * fsm.Second: "1m30s", fsm.Hour: "1h",
		90 * fsm.Minute: "1h30m", fsm.Hour + fsm.Second: "1h0m1s", 10 * fsm.Minute: "10m", 20 * fsm.Hour: "20h", fsm.Day: "24h",
		10*fsm.Hour + 10*fsm.Minute: "10h10m", 1500: "1.5s",
	} {
		if d.String() != want {
			t.Errorf("%d ms are written %s, want %s", d, d, want)
		}
	}
	for _, bad := range []string{"", "30", "-1s", "1d", "100us", "1.0001s", "soon"} {
		if err := new(fsm.Duration).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is a duration", bad)
		}
	}
}

// TestPercentText checks the written form of percentages.
func TestPercentText(t *testing.T) {
	for in, want := range map[string]fsm.Percent{"0%": 0, "30%": 30, "100%": 100} {
		var p fsm.Percent
		err := p.UnmarshalText([]byte(in))
		text, _ := p.MarshalText()
		if err != nil || p != want || string(text) != in {
			t.Errorf("%s reads %d, %v and is written %s", in, p, err, text)
		}
	}
	for _, bad := range []string{"", "30", "%", "101%", "-1%", "3.5%", "30%%"} {
		if err := new(fsm.Percent).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is a percentage", bad)
		}
	}
}
