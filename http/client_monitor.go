package httpd

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// MonitorQuery says which lines of a peer's log are meant. The zero value means those from info on, as text.
type MonitorQuery struct {
	Level string // from which on: debug, info, warn or error
	JSON  bool   // each line is a JSON object
}

// Monitor copies what the peer logs to a writer as it happens, until ctx ends. It returns nil when the peer ended it; the last line
// says why.
func (c *Client) Monitor(ctx context.Context, o MonitorQuery, to io.Writer) error {
	q := url.Values{}
	set(q, "level", o.Level)
	if o.JSON {
		q.Set("format", "json")
	}
	res, err := c.send(ctx, call{method: http.MethodGet, path: path("agent", "monitor"), query: q})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(to, res.Body); err != nil {
		return fmt.Errorf("watch the log: %w", err)
	}
	return nil
}
