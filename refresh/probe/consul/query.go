package consul

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/musterhq/muster/fsm"
	"github.com/musterhq/muster/refresh"
)

const (
	maxBody  = 64 << 20         // bytes of one answer
	maxStale = 10 * time.Second // how far behind its leader a server may be to be believed
	maxSaid  = 200              // bytes of an error's text that are repeated
)

// headers are what Consul says of an answer beside it; the constants are their positions.
var headers = []string{"X-Consul-KnownLeader", "X-Consul-Results-Filtered-By-ACLs", "X-Consul-LastContact"}

const (
	knownLeader = iota
	filtered
	lastContact
)

// path is the query for the instances of a service.
func (s *settings) path(service string) string {
	query := url.Values{}
	for name, value := range map[string]string{"dc": s.datacenter, "ns": s.namespace, "partition": s.partition} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if s.stale {
		query.Set("stale", "")
	}
	u := url.URL{Path: "/v1/health/service/" + service, RawQuery: query.Encode()}
	return u.RequestURI()
}

// query is a whole answer about a service, or an error.
func (p *Prober) query(ctx context.Context, service string) ([]byte, error) {
	answer, err := p.pages.Fetch(ctx, refresh.Request{
		Address: p.address, Path: p.path(service), Keep: headers, MaxBody: maxBody,
		Status: func(code int) bool { return 200 <= code && code < 300 || 400 <= code && code < 600 },
	})
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		return nil, refused(service, answer)
	}
	kept := answer.Kept
	switch behind, err := strconv.ParseInt(kept[lastContact], 10, 64); {
	case !strings.EqualFold(kept[knownLeader], "true"):
		return nil, refresh.NewFault(fsm.ReasonProtocol,
			"the answer came without a known leader: Consul has lost it, or something other than Consul answers")
	case strings.EqualFold(kept[filtered], "true"):
		return nil, refresh.NewFault(fsm.ReasonAuth, "instances were left out for want of rights; %s", remedy(service))
	case kept[lastContact] != "" && (err != nil || behind > maxStale.Milliseconds()):
		return nil, refresh.NewFault(fsm.ReasonProtocol, "the server that answered is %s ms behind its leader, over %d",
			clean(kept[lastContact]), maxStale.Milliseconds())
	}
	return answer.Body, nil
}

// refused says what a status other than 200 means, and what to do about it.
func refused(service string, answer refresh.Response) error {
	reason, do := fsm.ReasonHTTPStatus, ""
	switch answer.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		reason, do = fsm.ReasonAuth, "; "+remedy(service)
	case http.StatusNotFound:
		reason, do = fsm.ReasonProtocol, "; this is no Consul agent"
	case http.StatusInternalServerError:
		do = "; check datacenter, and whether Consul has a leader"
	}
	said := clean(string(answer.Body))
	if said != "" {
		said = " (" + said + ")"
	}
	return refresh.NewFault(reason, "it answered %d%s%s", answer.Status, said, do)
}

func remedy(service string) string {
	return fmt.Sprintf("the token needs service %q {policy = \"read\"} and node_prefix \"\" {policy = \"read\"}", service)
}

// clean is the beginning of what a server said, fit for one line.
func clean(said string) string {
	if len(said) > maxSaid {
		said = said[:maxSaid] + "…"
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, said))
}
