package httpd

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// ProfileQuery says which profile of the peer's process is meant.
type ProfileQuery struct {
	Name string        // profile, which is the CPU's, trace, or one of those that /debug/pprof/ lists, such as heap
	For  time.Duration // how long to watch, for profile and trace, in whole seconds
	Text bool          // for people; profile and trace have no text
}

// Profile copies a profile of the peer's process to a writer. Profiles are served where ACLs are on, to the role manage, and
// where the peer was told to serve them.
func (c *Client) Profile(ctx context.Context, o ProfileQuery, to io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout+o.For)
	defer cancel()
	q := url.Values{}
	if o.For > 0 {
		q.Set("seconds", strconv.Itoa(int(o.For.Seconds())))
	}
	if o.Text {
		q.Set("debug", "1")
	}
	res, err := c.send(ctx, call{method: http.MethodGet, path: "/debug/pprof/" + url.PathEscape(o.Name), query: q})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(to, res.Body); err != nil {
		return fmt.Errorf("receive the profile: %w", err)
	}
	return nil
}
