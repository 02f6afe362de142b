package httpd

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/musterhq/muster/fsm"
)

// Sets of query parameters that routes take; all take pretty.
var (
	verboseParam = []string{"verbose"}
	readParams   = []string{"consistent", "stale", "index", "wait"}
	listParams   = append([]string{"filter", "limit", "after"}, readParams...)
	casParam     = []string{"cas"}
	idParam      = []string{"id"}
	followParams = []string{"after", "type", "cluster", "node", "since", "cause"}
	eventParams  = append([]string{"limit", "reverse"}, followParams...)
)

// parseQuery reads a request's parameters. A token among them is refused, whoever asks.
func parseQuery(r *http.Request) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	switch {
	case err != nil:
		return nil, fsm.Invalid("query", "does not parse: %s", err)
	case values.Has("token"):
		return nil, tokenInQuery()
	}
	return values, nil
}

// checkQuery refuses parameters that a route does not take, and any given twice.
func checkQuery(values url.Values, allowed []string) error {
	for name, given := range values {
		switch {
		case name != "pretty" && !slices.Contains(allowed, name):
			return fsm.Invalid(name, "is no parameter of this%s", didYouMean(name, append([]string{"pretty"}, allowed...)))
		case len(given) > 1:
			return fsm.Invalid(name, "is given %d times", len(given))
		}
	}
	return nil
}

func tokenInQuery() error {
	return fsm.Invalid("token", "tokens in URLs end up in logs; send it as X-Muster-Token or Authorization: Bearer")
}

// flag reads a parameter that is there or not; true and false may be said.
func flag(q url.Values, name string) (bool, error) {
	if !q.Has(name) {
		return false, nil
	}
	if q.Get(name) == "" {
		return true, nil
	}
	on, err := strconv.ParseBool(q.Get(name))
	if err != nil {
		return false, fsm.Invalid(name, "%q is neither true nor false", q.Get(name))
	}
	return on, nil
}

// number reads a whole number, nil when it is not there.
func number(q url.Values, name string) (*uint64, error) {
	if !q.Has(name) {
		return nil, nil
	}
	n, err := strconv.ParseUint(q.Get(name), 10, 64)
	if err != nil {
		return nil, fsm.Invalid(name, "%q is not a whole number", q.Get(name))
	}
	return &n, nil
}

const (
	defaultWait = 5 * time.Minute
	maxWait     = 10 * time.Minute
)

// reading is how a read is asked for.
type reading struct {
	level Level
	past  *uint64 // block until the set's index is past it; nil does not block
	wait  time.Duration
}

func parseReading(q url.Values) (reading, error) {
	rd := reading{wait: defaultWait}
	stale, err := flag(q, "stale")
	if err != nil {
		return rd, err
	}
	consistent, err := flag(q, "consistent")
	switch {
	case err != nil:
		return rd, err
	case stale && consistent:
		return rd, fsm.Invalid("stale", "cannot be asked for together with consistent")
	case stale:
		rd.level = Stale
	}
	if rd.past, err = number(q, "index"); err != nil {
		return rd, err
	}
	if q.Has("wait") {
		var d fsm.Duration
		if err := d.UnmarshalText([]byte(q.Get("wait"))); err != nil {
			return rd, fsm.Invalid("wait", "%s", err)
		}
		rd.wait = min(d.Std(), maxWait)
	}
	if rd.wait == 0 {
		rd.wait = defaultWait
	}
	return rd, nil
}

const (
	defaultLimit = 100
	maxLimit     = 1000
	maxExamined  = 10_000 // rows a filtered page looks at
)

// listing is which page of a list is asked for.
type listing struct {
	after  string
	limit  int
	filter *filter
}

// parseListing reads a page's parameters; zero is the zero value of the list's row.
func parseListing(q url.Values, zero any) (listing, error) {
	l := listing{after: q.Get("after")}
	var err error
	if l.limit, err = parseLimit(q); err != nil {
		return l, err
	}
	l.filter, err = newFilter(q.Get("filter"), zero)
	return l, err
}

func parseLimit(q url.Values) (int, error) {
	n, err := number(q, "limit")
	switch {
	case err != nil:
		return 0, err
	case n == nil:
		return defaultLimit, nil
	case *n < 1 || *n > maxLimit:
		return 0, fsm.Invalid("limit", "%d is not between 1 and %d", *n, maxLimit)
	}
	return int(*n), nil
}
